"""Measures PEs on gates, and writes docs/hardware.md with its drawings."""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path("docs/hardware.md")
DRAWING = Path("docs/hardware-{}.svg")

# Vectors of a layer and PE that a trace holds, and products of a layer that are simulated.
TRACE_LIMIT = 512
PRODUCTS = 4096

# Weight formats of the search, as `strumc eval --config` has them.
FORMATS = [
    "mip2q,w=16",
    "mip2q,w=8",
    "mip2q,w=8,p=0.75",
    "dliq,w=8,p=0.75,q=4",
]

# Formats whose PEs are built in every structure, on every library.
MATRIX_FORMATS = ["mip2q,w=16", "mip2q,w=8"]


@dataclass(frozen=True)
class Case:
    """A network, an input, and layers that are traced."""

    name: str
    network: str
    data: str
    sample: int
    layers: tuple[str, ...]
    pes: str


CONVOLUTIONS = ("15.conv2d", "18.conv2d", "28.conv2d", "36.conv2d")
SOME = "5,50,90,130,170,210,250"
ALL = "0-255"
CASES = [
    Case("resnet20-0", "resnet20", "inputs.npz:x", 0, CONVOLUTIONS, SOME),
    Case("resnet20-0-dense", "resnet20", "inputs.npz:x", 0, ("43.conv2d",), ALL),
    Case("resnet20-7", "resnet20", "inputs.npz:x", 7, CONVOLUTIONS, SOME),
    Case("lenet-0-dense", "mnist_lenet", "seven.npy", 0, ("5.conv2d",), ALL),
]

# Operand orders, and a layer whose schedule has it: what it holds from step to step.
ORDERS = {
    "fresh (43.conv2d)": "43.conv2d",
    "weights held (28.conv2d)": "28.conv2d",
    "activations held (15.conv2d)": "15.conv2d",
}


@dataclass(frozen=True)
class Cells:
    """A cell library."""

    name: str
    title: str
    files: tuple[str, ...]
    period_ns: float


CELLS = [
    Cells("osu018", "osu018, 180 nm", (), 5.0),
    Cells("sky130hd", "sky130hd, 130 nm", ("sky130hd_tt.lib.gz",), 5.0),
    Cells(
        "asap7",
        "ASAP7, 7 nm predictive",
        tuple(f"asap7_rvt_tt_{part}.lib.gz" for part in ("AO", "INVBUF", "OA", "SEQ", "SIMPLE")),
        1.0,
    ),
]


def say(text: str) -> None:
    """Shows progress."""
    print(f"tools/hardware: {text}", file=sys.stderr, flush=True)


class Bench:
    """Runs the programs, and keeps what they give."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        digest = hashlib.sha256()
        for name in ("strumc", "dpu-sim"):
            digest.update((programs / name).read_bytes())
        self.traces = folder / f"traces-{digest.hexdigest()[:16]}"
        self.traces.mkdir(parents=True, exist_ok=True)

    def run(self, program: str, *arguments: str) -> str:
        """Runs a program; returns what it prints."""
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"tools/hardware: {' '.join(command)} failed")
        return done.stdout

    def sample(self, case: Case) -> str:
        """The input of a case: one sample, in a file of its own."""
        source = Path("models") / case.network / case.data.partition(":")[0]
        if case.sample == 0:
            return str(Path("models") / case.network / case.data)
        path = self.traces / f"{case.name}.npy"
        path.write_bytes(one(npy(source, case.data.partition(":")[2]), case.sample))
        return str(path)

    def trace(self, case: Case, weights: str) -> Path:
        """The trace of a case with weights of a format."""
        path = self.traces / f"{case.name}.{weights.replace('=', '').replace(',', '-').replace('.', '_')}.trace"
        if path.exists():
            return path
        say(f"tracing {case.name} with {weights} weights")
        method, *parameters = weights.split(",")
        options = [text for p in parameters for text in ("--" + p.split("=")[0], p.split("=")[1])]
        machine = "flexnn-16x16-dense" if method == "dense" else "flexnn-16x16"
        program, part = self.traces / "program.dpu", path.with_suffix(".part")
        network = f"models/{case.network}/model.tosa.mlirbc"
        self.run("strumc", "compile", "-q", network, "-o", str(program), "--machine", machine, "--method", method, *options)
        limits = ["--trace-limit", str(TRACE_LIMIT), "--trace-pes", case.pes, "--trace-layers", *case.layers]
        self.run("dpu-sim", str(program), "-q", "--input", self.sample(case), "--trace-pe", str(part), *limits)
        part.rename(path)
        return path

    def explore(self, name: str, cases: list[Case], formats: list[str], options: list[str]) -> dict[str, Any]:
        """What `strum-rtl explore` gives on these cases."""
        traces = [str(self.trace(case, weights)) for weights in ["dense", *formats] for case in cases]
        say(f"mapping and simulating: {name}")
        output = self.folder / f"{name}.json"
        results = ["--results", str(self.folder / "results"), "--products", str(PRODUCTS), "-o", str(output)]
        self.run("strum-rtl", "explore", "-q", "--trace", *traces, *results, *options)
        return load(output)

    def evaluate(self, name: str, network: str, samples: str) -> Path:
        """Accuracy of all formats on labelled samples."""
        key = hashlib.sha256(f"{FORMATS} {Path(samples).stat().st_size}".encode()).hexdigest()[:16]
        path = self.traces / key / f"{name}.json"
        if path.exists():
            return path
        path.parent.mkdir(exist_ok=True)
        say(f"evaluating {name}")
        configs = [text for weights in FORMATS for text in ("--config", weights)]
        arguments = ["eval", network, "--json", "--inputs", f"{samples}:x", "--labels", f"{samples}:y", *configs]
        path.write_text(self.run("strumc", *arguments))
        return path


def load(path: Path) -> dict[str, Any]:
    """A JSON object of a file."""
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def npy(path: Path, key: str) -> bytes:
    """An array file, which may be in an archive."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{key}.npy")
    return path.read_bytes()


def one(array: bytes, index: int) -> bytes:
    """One sample of an array of samples (NumPy format 1.0)."""
    length = int.from_bytes(array[8:10], "little")
    header = ast.literal_eval(array[10 : 10 + length].decode())
    shape = header["shape"]
    size = (len(array) - 10 - length) // shape[0]
    text = repr({**header, "shape": (1, *shape[1:])}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    start = 10 + length + index * size
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array[start : start + size]


def change(ratio: float) -> str:
    """A ratio as a change in percent."""
    return f"{100 * (ratio - 1):+.1f}"


def table(head: list[str], rows: list[list[str]], numbers: int) -> str:
    """A table whose last `numbers` columns are numbers."""
    lines = ["| " + " | ".join(head) + " |"]
    left = len(head) - numbers
    lines.append("|" + "---|" * left + "---:|" * numbers)
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


# Labelled samples of ResNet-20 in the folder of --models.
LABELLED = "resnet20/test_q.npz"

LEVELS = [("datapath", "datapath"), ("pe_core", "PE without register files"), ("pe", "PE")]


def measure(bench: Bench, cells: Path | None, models: Path | None) -> dict[str, Any]:
    """All that the page shows."""
    accuracy = [bench.evaluate("mnist_lenet", "models/mnist_lenet/model.tosa.mlirbc", "models/mnist_lenet/digits_noisy.npz")]
    if models:
        accuracy.append(bench.evaluate("resnet20", "models/resnet20/model.tosa.mlirbc", str(models / LABELLED)))
    results: dict[str, Any] = {"accuracy": {path.stem: load(path) for path in accuracy}}
    search = ["--structures", "merged,pipelined", "--register-files", "latches", "--kinds", "strum-static"]
    search += ["--plot", str(DRAWING).format("osu018"), "--accuracy", *map(str, accuracy)]
    results["search"] = bench.explore("search-osu018", CASES, FORMATS, search)
    results["matrix"] = {}
    for library in CELLS:
        if library.files and not cells:
            continue
        files = [str(cells / file) for file in library.files] if cells else []
        liberty = ["--liberty", *files] if library.files else []
        options = ["--multipliers", "booth", "--register-files", "flip-flops", "--decodes", "step", *liberty]
        options += ["--period", str(library.period_ns)]
        results["matrix"][library.name] = bench.explore(f"matrix-{library.name}", CASES[:2], MATRIX_FORMATS, options)
    return results


def shapes(point: dict[str, Any]) -> str:
    """How a design multiplies and adds."""
    return f"{point['structure']}, {point['multiplier'].capitalize() if point['multiplier'] == 'booth' else point['multiplier']}"


def median(values: list[float]) -> float:
    """The median."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return (ordered[last // 2] + ordered[(last + 1) // 2]) / 2


def ratios(point: dict[str, Any], dense: dict[str, Any], level: str, layer: str | None = None) -> list[float]:
    """Energy of a product over that of a dense design, layer by layer."""
    other = {(own["case"], own["layer"]): own["energy_fj"][level] for own in dense["layers"]}
    own = [o for o in point["layers"] if layer in (None, o["layer"])]
    return [o["energy_fj"][level] / other[o["case"], o["layer"]] for o in own]


def with_dense(result: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """StruM's designs, each with the dense one of the same structure, by structure, weights and kind."""
    designs = result["comparison"]["designs"]
    dense = {d["structure"]: d for d in designs if d["kind"] == "dense"}
    order = ["plain", "merged", "pipelined"]
    others = [d for d in designs if d["kind"] != "dense"]
    others.sort(key=lambda d: (order.index(d["structure"]), -d["w"], d["kind"]), reverse=False)
    return [(d, dense[d["structure"]]) for d in others]


def titles(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The measured libraries."""
    return [(c.title, results["matrix"][c.name]) for c in CELLS if c.name in results["matrix"]]


def dense_table(results: dict[str, Any]) -> str:
    """Dense PEs: areas, period, energy."""
    rows = []
    for title, result in titles(results):
        for structure in ("plain", "merged", "pipelined"):
            point = next(d for d in result["comparison"]["designs"] if d["kind"] == "dense" and d["structure"] == structure)
            area, layers = point["area_um2"], point["layers"]
            energy = [median([layer["energy_fj"][level] for layer in layers]) for level, _ in LEVELS]
            numbers = [f"{area[level]:,.0f}" for level, _ in LEVELS] + [f"{value:,.1f}" for value in energy]
            rows.append([title, structure, *numbers, f"{point['shortest_period_ns']:.2f}"])
    names = [name for _, name in LEVELS]
    return table(["library", "structure", *(f"{n}, µm²" for n in names), *(f"{n}, fJ" for n in names), "period, ns"], rows, 7)


def levels_table(results: dict[str, Any]) -> str:
    """Changes of area and energy by level."""
    rows = []
    for title, result in titles(results):
        for point, dense in with_dense(result):
            area = [change(point["area_um2"][level] / dense["area_um2"][level]) for level, _ in LEVELS]
            energy = []
            for level, _ in LEVELS:
                values = ratios(point, dense, level)
                energy.append(f"{change(median(values))} ({change(min(values))}…{change(max(values))})")
            rows.append([title, point["structure"], str(point["w"]), point["kind"].removeprefix("strum-"), *area, *energy])
    names = [name for _, name in LEVELS]
    head = ["library", "structure", "w", "PE", *(f"area, {n}" for n in names), *(f"energy, {n}" for n in names)]
    return table(head, rows, 6)


def orders_table(results: dict[str, Any]) -> str:
    """Changes of energy by operand order."""
    rows = []
    for title, result in titles(results):
        for point, dense in with_dense(result):
            cells = [
                change(ratios(point, dense, level, layer)[0]) for level in ("datapath", "pe") for layer in ORDERS.values()
            ]
            rows.append([title, point["structure"], str(point["w"]), point["kind"].removeprefix("strum-"), *cells])
    head = ["library", "structure", "w", "PE"]
    return table([*head, *(f"{level}, {order}" for level in ("datapath", "PE") for order in ORDERS)], rows, 6)


def search_row(design: dict[str, Any]) -> list[str]:
    """A row of the search."""
    energy = design["energy_ratio"]
    loss = design["loss_points"]
    return [
        design["kind"].removeprefix("strum-"),
        "" if design["kind"] == "dense" else design["weights"],
        shapes(design) + (", decoded on fetching" if design["decode"] == "fetch" else ""),
        f"{design['area_um2']['pe']:,.0f}",
        f"{design['mean_energy_fj']:,.0f}",
        change(design["area_ratio"]),
        f"{change(energy['median'])} ({change(energy['min'])}…{change(energy['max'])})",
        f"{change(design['datapath_area_ratio'])}, {change(design['datapath_energy_ratio']['median'])}",
        f"{design['shortest_period_ns']:.2f}",
        "" if loss is None else f"{loss:+.2f}",
        "yes" if design["front"] else "",
    ]


SEARCH_HEAD = ["PE", "weights", "design", "area, µm²", "fJ a product", "area", "energy (range over layers)", "datapath: area, energy"]
SEARCH_HEAD += ["period, ns", "loss, points", "on the front"]


def search_table(results: dict[str, Any]) -> str:
    """Dense PEs, the front, and the best static and dynamic PE of every format."""
    designs = results["search"]["comparison"]["designs"]
    seen: set[tuple[str, str]] = set()
    rows = []
    for design in designs:
        key = (design["kind"], design["weights"])
        if design["kind"] == "dense" or design["front"] or key not in seen:
            rows.append(search_row(design))
        seen.add(key)
    return table(SEARCH_HEAD, rows, 8)


def decoded_table(results: dict[str, Any]) -> str:
    """The best dense PE on decoded weights, beside the best StruM PE for them."""
    comparison = results["search"]["comparison"]
    rows = []
    for design in comparison["decoded"]:
        energy = design["energy_ratio"]
        best = [d for d in comparison["designs"] if d["weights"] == design["weights"]]
        own = min(d["energy_ratio"]["median"] for d in best)
        spread = f"{change(energy['median'])} ({change(energy['min'])}…{change(energy['max'])})"
        rows.append([design["weights"], spread, change(own)])
    return table(["weights", "dense PE on decoded weights", "static PE of least energy"], rows, 2)


def named(design: dict[str, Any]) -> str:
    """A design with its changes."""
    area, energy = change(design["area_ratio"]), change(design["energy_ratio"]["median"])
    return f"`{design['design']}` ({area} % area, {energy} % energy)"


def area_energy(design: dict[str, Any]) -> float:
    """The product of area and energy."""
    return float(design["area_ratio"] * design["mean_energy_fj"])


def area(design: dict[str, Any]) -> float:
    """Area."""
    return float(design["area_ratio"])


def energy(design: dict[str, Any]) -> float:
    """Energy, the median over layers."""
    return float(design["energy_ratio"]["median"])


def verdict(results: dict[str, Any]) -> str:
    """What the search found, against the goal."""
    comparison = results["search"]["comparison"]
    designs = [d for d in comparison["designs"] if d["kind"] != "dense"]
    accurate = [d for d in designs if d["loss_points"] is not None and d["loss_points"] < 0.3]
    reach = [d for d in accurate if d["energy_ratio"]["median"] <= 0.9 and d["area_ratio"] <= 0.92]
    lines = [
        f"Compared are {len(designs)} StruM PEs with `{comparison['reference']}`, which of the dense PEs has the least product of area"
        " and energy.",
        f"The smallest dense PE is `{comparison['smallest_dense']}`, that of least energy `{comparison['thriftiest_dense']}`.",
        f"{len(accurate)} of the StruM PEs lose less than 0.3 points on every network below;",
        f"{len(reach)} of these save at least 10 % energy and 8 % area.",
    ]
    for title, figure in (
        ("least area times energy", area_energy),
        ("least area", area),
        ("least energy", energy),
    ):
        if accurate:
            lines.append(f"The one of {title} among the {len(accurate)} is {named(min(accurate, key=figure))}.")
        lines.append(f"Without regard to accuracy it is {named(min(designs, key=figure))}.")
    return wrapped(" ".join(lines))


def accuracy_table(results: dict[str, Any]) -> str:
    """Accuracy of all formats."""
    networks = results["accuracy"]
    rows = []
    for weights in ["dense", *FORMATS]:
        cells = []
        for evaluation in networks.values():
            row = next(row for row in evaluation["rows"] if row["name"] == weights)
            agreement = "" if row["agreement"] is None else f"{100 * row['agreement']:.2f}"
            cells += [f"{100 * row['top1']:.2f} ± {100 * row['top1_error']:.2f}", agreement]
        rows.append([weights, *cells])
    head = [f"{name}, {evaluation['samples']:,} samples, top-1 %" for name, evaluation in networks.items()]
    return table(["weights", *(text for name in head for text in (name, "agreement %"))], rows, 2 * len(networks))


def wrapped(text: str) -> str:
    """Prose in lines of the documents' width; code and numbers with their units are not cut."""
    return textwrap.fill(text, 138, break_long_words=False, break_on_hyphens=False)


def checked(results: dict[str, Any]) -> str:
    """What was simulated and compared."""
    lines = []
    for title, result in [("search", results["search"]), *titles(results)]:
        comparison = result["comparison"]
        designs = comparison["designs"] + comparison["decoded"]
        count = sum(layer["compared"] for design in designs for layer in design["layers"])
        conditions = result["conditions"]
        lines.append(
            f"| {title} | {len(designs)} | {len(designs[0]['layers'])} | {count:,} | {conditions['period_ps'] / 1000:g} |"
            f" {conditions['wire_ff']:.3f} | {result['tool']} |"
        )
    head = "| run | designs | layers | accumulators compared, all equal | period, ns | wire, fF an input | mapped by |"
    cases: dict[str, list[str]] = {}
    for layer in results["search"]["comparison"]["designs"][0]["layers"]:
        cases.setdefault(layer["case"], []).append(f"{layer['layer']} ({layer['products']:,} products)")
    text = "; ".join(f"{case}: {', '.join(layers)}" for case, layers in cases.items())
    return "\n".join([wrapped(f"Layers of the search: {text}."), "", head, "|---|---:|---:|---:|---:|---:|---|", *lines])


def command(cells: Path | None, models: Path | None) -> str:
    """The command that makes the page."""
    text = "tools/hardware" + (" --cells CELLS" if cells else "") + (" --models MODELS" if models else "")
    return wrapped(f"Tables and drawing are written by `{text}`, which prints its progress and goes on where it was interrupted.")


def write(results: dict[str, Any], how: str) -> None:
    """Puts the tables between their markers."""
    parts = {
        "command": how,
        "checked": checked(results),
        "dense": dense_table(results),
        "levels": levels_table(results),
        "orders": orders_table(results),
        "verdict": verdict(results),
        "search": search_table(results),
        "decoded": decoded_table(results),
        "accuracy": accuracy_table(results),
    }
    text = PAGE.read_text()
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            sys.exit(f"tools/hardware: {PAGE} has no markers for {name}")
        text = before + begin + part + end + after
    PAGE.write_text(text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/hardware", description=__doc__)
    parser.add_argument("--cells", type=Path, help="folder with Liberty files of sky130hd and ASAP7, which are measured as well")
    parser.add_argument("--models", type=Path, help=f"folder with {LABELLED}, labelled samples (x, y) for the accuracy")
    parser.add_argument("--programs", type=Path, default=Path("target/release"), help="folder of strumc, dpu-sim and strum-rtl")
    args = parser.parse_args()
    for folder in (args.cells, args.models, args.programs):
        if folder and not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    if args.models and not (args.models / LABELLED).is_file():
        parser.error(f"{args.models} has no {LABELLED}")
    bench = Bench(args.programs, Path("target/hardware"))
    write(measure(bench, args.cells, args.models), command(args.cells, args.models))
    say(f"{PAGE} is written")


if __name__ == "__main__":
    main()
