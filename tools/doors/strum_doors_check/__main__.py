"""Command line: networks of public packages, files, and networks of one operator."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import compare, mutants, operators, packages


def main() -> int:
    """Prints a line for each network; the exit code is 1 if any differs."""
    parser = argparse.ArgumentParser(prog="tools/doors/tflite", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="TFLite files [default: the networks of --packages]")
    parser.add_argument("--packages", nargs="*", default=None, choices=sorted(packages.PACKAGES), help="packages of networks")
    parser.add_argument("--operators", action="store_true", help="networks of one operator, made at random")
    parser.add_argument("--mutants", type=int, help="number of damaged copies of the networks of --packages, which are only read")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random [default: 0]")
    parser.add_argument("--count", type=int, default=20, help="random inputs of a network [default: 20]")
    parser.add_argument(
        "--reference",
        choices=compare.REFERENCES,
        default=compare.REFERENCES[0],
        help="the program to compare with; LiteRT also takes the files that tflite-micro cannot run [default: tflite-micro]",
    )
    parser.add_argument("--strumc", default="target/release/strumc", help="the program [default: target/release/strumc]")
    arguments = parser.parse_args()
    if arguments.mutants is not None and (arguments.files or arguments.operators):
        parser.error("--mutants damages the networks of --packages; it cannot be combined with files or --operators")
    outcomes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.mutants is not None:
            return mutants.run(Path(folder), arguments.packages, arguments.mutants, arguments.seed)
        files: list[Path] = list(arguments.files)
        if arguments.operators:
            files += operators.write(Path(folder), arguments.seed)
        names = arguments.packages
        if names is None and not files:
            names = sorted(packages.PACKAGES)
        for name in names or []:
            files += packages.fetch(name, Path(folder))
        for file in files:
            outcome = compare.network(file, arguments.strumc, arguments.count, arguments.seed, arguments.reference)
            outcomes.append(outcome.kind)
            print(f"{file.name:48} {outcome.kind:9} {outcome.text}", flush=True)
    kinds = sorted(set(outcomes))
    print(", ".join(f"{outcomes.count(kind)} {kind}" for kind in kinds))
    return 1 if "different" in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
