"""Accuracy of real networks in every weight format; writes docs/accuracy.md and the README's table."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from .measure import Strumc, measure
from .networks import NETWORKS
from .text import document, put, summary


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/accuracy/run", description=__doc__)
    parser.add_argument("models", type=Path, help="folder of float networks with their samples; see README.md")
    parser.add_argument("--networks", nargs="+", choices=[n.name for n in NETWORKS], help="only these; prints, writes nothing")
    parser.add_argument("--limit", type=int, help="maximum number of test samples; prints, writes nothing")
    parser.add_argument("--strumc", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.models.is_dir():
        parser.error(f"{args.models} is not a folder")
    if args.limit is not None and args.limit < 1:
        parser.error("--limit must be at least 1")
    results = []
    for network in NETWORKS:
        if args.networks is None or network.name in args.networks:
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(network, args.models, Strumc(args.strumc, Path(folder)), args.limit))
    if args.networks or args.limit:
        print(document(results))
        return
    Path("docs/accuracy.md").write_text(document(results))
    put(Path("README.md"), summary(results))
    print("docs/accuracy.md and the table in README.md are written")


main()
