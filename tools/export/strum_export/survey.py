"""Takes networks all the way, from PyTorch through both doors to the simulator, and writes down what comes of them."""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .names import READY, TORCHVISION, size_of

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "networks.md"
# Intermediate files: programs, and one network at a time.
WORK = ROOT / "target" / "survey"
DOORS = ("linalg", "tosa")

# Rows and columns of the input: small where a family allows it, so that the survey takes minutes.
SIZES = {"alexnet": 224, "vgg11": 224, "vgg11_bn": 224, "inception_v3": 128}
SMALL = 64
FAMILIES = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 mnasnet0_5 mobilenet_v2 "
    "mobilenet_v3_large mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d "
    "shufflenet_v2_x0_5 squeezenet1_0 squeezenet1_1 vgg11 vgg11_bn"
).split()

HEAD = """\
# Networks from export to simulator

torch-mlir exported every network below with **random weights** (with a fixed seed, and batch normalizations with the statistics of random
images) to linalg and to TOSA on f32, through `tools/zoo`. Both were imported, evaluated and compared with PyTorch, quantized with four
random images, compiled for `flexnn-16x16` and run on the simulator. `tools/survey` repeats this and writes this page;
`tools/survey resnet18` prints the rows of one network.

- *door*: the dialect of the export.
- *difference*: the largest difference of an output of the float evaluation from PyTorch's, relative to the largest output.
- *SQNR*: of the quantized network's outputs on those images against the float network. With random weights it does not
  indicate accuracy: outputs of such networks are small differences of large noise.
- *cycles*: per image, as plain INT8, and with half of the weights as powers of two (`mip2q`).

| network | input | door | difference | SQNR, dB | weights, bytes | cycles INT8 | cycles mip2q |
|---|---|---|---|---|---|---|---|
"""


@dataclass
class Row:
    """The outcome of a network at one door."""

    network: str
    size: int
    door: str
    figures: list[str]

    def text(self) -> str:
        """A line of the table."""
        return f"| {' | '.join([self.network, f'{self.size}²', self.door, *self.figures])} |"


class Failed(Exception):
    """A failed command; the text has the command and its output."""


def run(*command: str | Path) -> str:
    """The output of a command."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if "error" in line] or [done.stderr[-300:]]
        raise Failed(f"{Path(command[0]).name}: {said[0][:300]}")
    return done.stdout


def at_door(name: str, size: int, door: str, folder: Path) -> Row:
    """Evaluates, quantizes, compiles and runs an exported network."""
    network, images, answers = (folder / f"{name}.{end}" for end in (f"{door}.mlirbc", "input.npy", "output.npy"))
    if not network.is_file():
        raise Failed("tools/zoo has not written it")
    difference = run(WORK / "bin" / "evaluate", network, images, answers).strip()
    strumc, quantized = WORK / "bin" / "strumc", folder / f"{name}.{door}.int8.mlirbc"
    run(strumc, "quantize", network, "--calibration", images, "-o", quantized)
    options = ("--against", network, "--methods", "mip2q", "--json", "--log", "error")
    rows = json.loads(run(strumc, "eval", quantized, "--inputs", images, *options))["rows"]
    dense, mip2q = (next(row for row in rows if row["name"] == method) for method in ("dense", "mip2q"))
    sqnr = "exact" if dense["sqnr_db"] is None else f"{dense['sqnr_db']:.1f}"
    figures = [difference, sqnr, f"{dense['weight_bytes']:,}", f"{dense['cycles']:,}", f"{mip2q['cycles']:,}"]
    return Row(name, size, door, figures)


def main() -> int:
    """Surveys the named networks, or all families, whose table is then written to the page."""
    parser = argparse.ArgumentParser(prog="tools/survey", description=__doc__)
    parser.add_argument(
        "networks", nargs="*", metavar="NAME", help="networks of tools/zoo --list [default: those of the page]"
    )
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.networks if name not in TORCHVISION]
    if unknown:
        parser.error(f"no network is called {', '.join(unknown)}; tools/zoo --list lists what is known")
    if arguments.check:
        return READY
    lines, failed = [], 0
    for name in arguments.networks or FAMILIES:
        size = SIZES.get(name, min(SMALL, size_of(name)))
        zoo = [ROOT / "tools" / "zoo", name, "--size", str(size), "-o", WORK]
        # Failed exports are missing afterwards; the doors report it.
        subprocess.run(zoo, stdout=subprocess.DEVNULL, check=False)
        for door in DOORS:
            try:
                lines.append(at_door(name, size, door, WORK).text())
                print(lines[-1], flush=True)
            except Failed as error:
                failed += 1
                print(f"tools/survey: {name}, {door}: {error}", file=sys.stderr, flush=True)
        for left in WORK.glob(f"{name}.*"):
            left.unlink()
    if not arguments.networks and not failed:
        PAGE.write_text(HEAD + "\n".join(lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
