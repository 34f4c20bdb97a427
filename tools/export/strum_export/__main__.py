"""The command line of tools/zoo."""

import argparse
import multiprocessing
import signal
import sys
from pathlib import Path

from .names import READY, READY_FOR_ONNX, TORCHVISION, size_of

EPILOG = """\
Each network becomes NAME.linalg.mlirbc and NAME.tosa.mlirbc, with NAME.input.npy, samples along the first
axis, and NAME.output.npy, what PyTorch or ONNX Runtime answers. Weights are random, of a fixed seed, unless
--state-dict gives them: such a network has the right shapes and cycles, and means nothing.

examples:
  tools/zoo resnet18 mobilenet_v2 -o nets
  tools/zoo resnet18 --state-dict resnet18.pth -o nets
  tools/zoo package.module:make_network --size 96 -o nets
  tools/zoo --onnx network.onnx --shape 1x3x224x224 -o nets
  strumc quantize nets/resnet18.linalg.mlirbc --calibration nets/resnet18.input.npy -o resnet18.int8.mlirbc
"""


def shape_of(text: str) -> list[int]:
    """Parses a shape such as 1x3x224x224."""
    extents = [int(part) if part.isdecimal() else 0 for part in text.split("x")]
    if not all(extents):
        raise argparse.ArgumentTypeError(f"'{text}' is not a shape such as 1x3x224x224")
    return extents


def at_least_one(text: str) -> int:
    """A non-zero number."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = argparse.ArgumentParser(
        prog="tools/zoo",
        description="Exports networks from PyTorch and ONNX to MLIR, to linalg and to TOSA.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "networks", nargs="*", metavar="NAME", help="a network of --list, or MODULE:FUNCTION that returns one"
    )
    made.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="output folder; created if missing"
    )
    made.add_argument("--list", action="store_true", help="list the networks that are known by name")
    made.add_argument("--onnx", type=Path, nargs="+", default=[], metavar="FILE", help="ONNX files with one input")
    made.add_argument("--shape", type=shape_of, help="--onnx: shape of the input, if the file has dynamic extents")
    made.add_argument(
        "--state-dict", type=Path, metavar="FILE", help="weights of the only network: a state_dict of torch.save"
    )
    made.add_argument(
        "--size", type=at_least_one, help="rows and columns of the input [default: the network's native size]"
    )
    made.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    made.add_argument("--samples", type=at_least_one, default=4, help="samples in NAME.input.npy [default: 4]")
    return made


def check(arguments: argparse.Namespace, made: argparse.ArgumentParser) -> None:
    """Ends the program if options conflict."""
    if not arguments.networks and not arguments.onnx:
        made.error("nothing to export: name a network, or give --onnx; --list lists what is known")
    if arguments.output is None:
        made.error("-o DIR is missing")
    unknown = [name for name in arguments.networks if name not in TORCHVISION and ":" not in name]
    if unknown:
        made.error(f"no network is called {', '.join(unknown)}; --list lists what is known")
    if arguments.state_dict is not None and len(arguments.networks) != 1:
        made.error("--state-dict goes with one network")
    if arguments.shape is not None and len(arguments.onnx) != 1:
        made.error("--shape goes with one ONNX file")
    for path in [*arguments.onnx, *([arguments.state_dict] if arguments.state_dict else [])]:
        if not path.is_file():
            made.error(f"there is no file {path}")


def weights(name: str | Path, arguments: argparse.Namespace) -> str:
    """The source of a network's weights."""
    if isinstance(name, Path):
        return "weights of the file"
    if arguments.state_dict is not None:
        return "weights of --state-dict"
    return "weights as MODULE:FUNCTION makes them" if ":" in name else "random weights"


def main() -> int:
    """Exports the requested networks; a failure does not stop the others."""
    made = parser()
    arguments = made.parse_args()
    if arguments.list:
        print("\n".join(TORCHVISION))
        return 0
    check(arguments, made)
    if arguments.check:
        return READY if arguments.networks else READY_FOR_ONNX
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Imported here, once for all networks; ONNX files need no PyTorch.
    if arguments.onnx:
        from . import onnx_file  # noqa: F401
    if arguments.networks:
        from . import pytorch  # noqa: F401

    failed = 0
    for name in [*arguments.networks, *arguments.onnx]:
        # A process for each: a crash of torch-mlir ends its process.
        process = multiprocessing.get_context("fork").Process(target=export, args=(name, arguments))
        process.start()
        process.join()
        if process.exitcode is not None and process.exitcode < 0:
            tell(name, f"torch-mlir has crashed ({signal.Signals(-process.exitcode).name}); what it said is above")
        failed += process.exitcode != 0
    return 1 if failed else 0


def tell(name: str | Path, problem: str) -> None:
    """Reports on standard error why a network failed."""
    print(f"tools/zoo: {name}: {problem}", file=sys.stderr, flush=True)


def export(name: str | Path, arguments: argparse.Namespace) -> None:
    """Exports a network; ends the process with 1 on failure."""
    from .common import Partial

    problem = None
    try:
        if isinstance(name, Path):
            from . import onnx_file

            written = onnx_file.export(name, arguments.output / name.stem, arguments.shape, arguments.samples)
        else:
            from . import pytorch

            size = arguments.size or size_of(name)
            network = pytorch.network(name, arguments.state_dict, size)
            stem = arguments.output / name.replace(":", ".")
            written = pytorch.export(network, stem, (1, 3, size, size), arguments.samples)
    except Partial as error:
        written, problem = error.written, str(error)
    except Exception as error:  # of torch-mlir, PyTorch and ONNX, of many kinds; the other networks go on
        written, problem = [], str(error) or type(error).__name__
    if written:
        print(f"{name}: {', '.join(path.name for path in written)} ({weights(name, arguments)})", flush=True)
    if problem is not None:
        tell(name, problem)
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
