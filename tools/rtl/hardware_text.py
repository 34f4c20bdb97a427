"""The texts and tables of docs/hardware.md, from what tools/hardware measured."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from hardware_runs import CELLS

PAGE = Path("docs/hardware.md")
DRAWING = Path("docs/hardware-{}.svg")

# The goal: losses below LOSS points, at most these parts of the best dense PE's area and energy.
LOSS, AREA, ENERGY = 0.3, 0.92, 0.9

# Operand orders, and a layer whose schedule has it: what it holds from step to step.
ORDERS = {
    "fresh (43.conv2d)": "43.conv2d",
    "weights held (28.conv2d)": "28.conv2d",
    "weights held, 3 × 3 (36.conv2d)": "36.conv2d",
    "activations held (15.conv2d)": "15.conv2d",
}


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


LEVELS = [("datapath", "datapath"), ("pe_core", "PE without register files"), ("pe", "PE")]


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
            cells = [change(ratios(point, dense, level, layer)[0]) for level in ("datapath", "pe") for layer in ORDERS.values()]
            rows.append([title, point["structure"], str(point["w"]), point["kind"].removeprefix("strum-"), *cells])
    head = ["library", "structure", "w", "PE"]
    return table([*head, *(f"{level}, {order}" for level in ("datapath", "PE") for order in ORDERS)], rows, 2 * len(ORDERS))


def wrapped(text: str) -> str:
    """Prose in lines of the documents' width; code and numbers with their units are not cut."""
    return textwrap.fill(text, 138, break_long_words=False, break_on_hyphens=False)


def accurate(design: dict[str, Any]) -> bool:
    """Whether a design's weights lose few points; unknown losses do not count as small."""
    return design["loss_points"] is not None and design["loss_points"] < LOSS


def area_energy(design: dict[str, Any]) -> float:
    """The product of the changes of area and energy."""
    return float(design["area_ratio"] * design["energy_ratio"]["median"])


def strum(result: dict[str, Any]) -> list[dict[str, Any]]:
    """StruM's designs."""
    return [design for design in result["comparison"]["designs"] if design["kind"] != "dense"]


def finalists(result: dict[str, Any], formats: list[str], count: int) -> list[str]:
    """The formats of the accurate designs with the least product of area and energy; of all, where no loss is known."""
    designs = [d for d in strum(result) if accurate(d) or d["loss_points"] is None]
    designs.sort(key=area_energy)
    found = list(dict.fromkeys(design["weights"] for design in designs))
    names = {same(weights): weights for weights in formats}
    return [names[same(weights)] for weights in found[:count]]


def same(weights: str) -> tuple[str, ...]:
    """A format without the defaults that a name may leave out."""
    values = {"p": "0.5", "L": "7", "zero": "false"} | dict(part.split("=") for part in weights.split(",")[1:])
    if weights.partition(",")[0] != "mip2q":
        del values["L"], values["zero"]
    return (weights.partition(",")[0], *(f"{name}={values[name]}" for name in sorted(values)))


def losses(evaluation: dict[str, Any], path: Path) -> Path:
    """Writes the accuracies of rounded weights as one result of `strumc eval`, with the better INT8 network as plain one."""
    rows = [{"name": "dense", "top1": int8(evaluation)}]
    rows += [{"name": n, "top1": r["top1"]} for n, r in evaluation["rounded"].items() if n != "feedback" and "p=1" not in n]
    path.write_text(json.dumps({"schema": "strum.eval", "rows": rows}))
    return path


def int8(evaluation: dict[str, Any]) -> float:
    """Top-1 of plain INT8 weights: rounded to nearest or with feedback, whichever is right more often."""
    return float(max(evaluation["packed"]["dense"]["top1"], evaluation["rounded"]["feedback"]["top1"]))


def spread(energy: dict[str, float]) -> str:
    """The change of energy: the median and the range over layers."""
    return f"{change(energy['median'])} ({change(energy['min'])}…{change(energy['max'])})"


def weights_of(design: dict[str, Any]) -> str:
    """The format of a StruM PE."""
    return "" if design["kind"] == "dense" else str(design["weights"])


def design_of(design: dict[str, Any]) -> str:
    """How a design multiplies, adds, decodes and places its low lanes."""
    parts = [shapes(design)]
    if design["low_lanes"] == "in-place":
        parts.append("low lanes in place")
    if design["decode"] == "fetch":
        parts.append("decoded on fetching")
    return ", ".join(parts)


def search_row(design: dict[str, Any]) -> list[str]:
    """A row of a round of the search."""
    loss = design["loss_points"]
    return [
        design["kind"].removeprefix("strum-"),
        weights_of(design),
        design_of(design),
        f"{design['area_um2']['pe']:,.0f}",
        f"{design['mean_energy_fj']:,.0f}",
        change(design["area_ratio"]),
        spread(design["energy_ratio"]),
        f"{change(design['datapath_area_ratio'])}, {change(design['datapath_energy_ratio']['median'])}",
        f"{design['shortest_period_ns']:.2f}",
        "" if loss is None else f"{loss:+.2f}",
        "yes" if design["front"] else "",
    ]


SEARCH_HEAD = [
    "PE",
    "weights",
    "design",
    "area, µm²",
    "fJ a product",
    "area",
    "energy (range over layers)",
    "datapath: area, energy",
]
SEARCH_HEAD += ["period, ns", "loss, points", "on the front"]


def search_table(result: dict[str, Any]) -> str:
    """All designs of a round."""
    return table(SEARCH_HEAD, [search_row(design) for design in result["comparison"]["designs"]], 8)


def formats_table(result: dict[str, Any]) -> str:
    """Of every format the PE with routed low lanes and that with low lanes in place."""
    designs = strum(result)
    rows = []
    for weights in dict.fromkeys(design["weights"] for design in sorted(designs, key=area_energy)):
        cells = []
        for placement in ("routed", "in-place"):
            own = [d for d in designs if d["weights"] == weights and d["low_lanes"] == placement]
            best = min(own, key=area_energy, default=None)
            cells += [change(best["area_ratio"]), spread(best["energy_ratio"])] if best else ["", ""]
        loss = next(d["loss_points"] for d in designs if d["weights"] == weights)
        rows.append([weights, *cells, "" if loss is None else f"{loss:+.2f}"])
    head = ["weights", "area, routed", "energy, routed", "area, in place", "energy, in place", "loss, points"]
    return table(head, rows, 5)


def decoded_table(results: dict[str, Any]) -> str:
    """The best dense PE on decoded weights, beside the best StruM PE for them."""
    comparison = results["final"]["comparison"]
    rows = []
    for design in comparison["decoded"]:
        best = [d for d in comparison["designs"] if d["weights"] == design["weights"]]
        own = min(best, key=area_energy)
        rows.append([design["weights"], spread(design["energy_ratio"]), spread(own["energy_ratio"]), change(own["area_ratio"])])
    head = ["weights", "energy, dense PE on decoded weights", "energy, best static PE", "area, best static PE"]
    return table(head, rows, 3)


def abroad_table(results: dict[str, Any]) -> str:
    """The finalists in all libraries: area and energy by level."""
    rows = []
    for cells in CELLS:
        result = {"osu018": results["final"], **results["abroad"]}.get(cells.name)
        others = {d["design"] for r in results["abroad"].values() for d in strum(r)}
        for design in strum(result) if result else []:
            if others and design["design"] not in others:
                continue
            changes = [design["datapath_area_ratio"], design["core_area_ratio"], design["area_ratio"]]
            energy = [design["datapath_energy_ratio"], design["core_energy_ratio"], design["energy_ratio"]]
            rows.append([cells.title, weights_of(design), design_of(design), *map(change, changes), *map(spread, energy)])
    names = [name for _, name in LEVELS]
    head = ["library", "weights", "design", *(f"area, {n}" for n in names), *(f"energy, {n}" for n in names)]
    return table(head, rows, 6)


def named(design: dict[str, Any]) -> str:
    """A design with its changes."""
    area, energy = change(design["area_ratio"]), change(design["energy_ratio"]["median"])
    return f"`{design['design']}` ({area} % area, {energy} % energy)"


def reaches(design: dict[str, Any]) -> bool:
    """Whether a design reaches the goal, but for accuracy."""
    return bool(design["energy_ratio"]["median"] <= ENERGY and design["area_ratio"] <= AREA)


def verdict(results: dict[str, Any]) -> str:
    """What the search found, against the goal."""
    comparison = results["final"]["comparison"]
    designs = strum(results["final"])
    small = [d for d in designs if accurate(d)]
    reach = [d for d in small if reaches(d)]
    lines = [
        f"The best dense PE is `{comparison['reference']}`. {len(small)} of the {len(designs)} StruM PEs of the last round lose less"
        f" than {LOSS} points on every network below, and {len(reach)} of these save at least 10 % energy, by the median over the"
        " layers, and 8 % area.",
    ]
    if small:
        best = min(small, key=area_energy)
        energy = best["energy_ratio"]
        lines.append(f"The one of least area times energy is {named(best)}; from layer to layer its energy changes by")
        lines.append(
            f"{change(energy['min'])} to {change(energy['max'])} %, and its weights lose {best['loss_points']:.2f} points."
        )
        smallest = min(small, key=lambda design: design["area_ratio"])
        thriftiest = min(small, key=lambda design: design["energy_ratio"]["median"])
        if smallest is not best:
            lines.append(f"The one of least area is {named(smallest)}.")
        if thriftiest is not best:
            lines.append(f"The one of least energy is {named(thriftiest)}.")
        for cells in CELLS:
            result = results["abroad"].get(cells.name)
            for design in strum(result) if result else []:
                if design["design"] == best["design"]:
                    against = result["comparison"]["reference"]
                    lines.append(f"In {cells.name} the first has {change(design['area_ratio'])} % area and")
                    lines.append(f"{change(design['energy_ratio']['median'])} % energy against `{against}`.")
    missed = [d for d in strum(results["formats"]) if reaches(d) and not accurate(d)]
    if missed:
        best = min(missed, key=area_energy)
        lines.append(f"Without regard to accuracy the first round over formats has {named(best)},")
        lines.append(
            "the loss of which is unknown." if best["loss_points"] is None else f"which loses {best['loss_points']:.2f} points."
        )
    return wrapped(" ".join(lines))


def accuracy_table(results: dict[str, Any]) -> str:
    """Accuracy of all formats, packed and rounded."""
    networks = results["accuracy"]
    names = next(iter(networks.values()))["rounded"] if networks else []
    rows = []
    for weights in names:
        packed = "dense" if weights == "feedback" else weights
        pairs = [(evaluation["packed"][packed], evaluation["rounded"][weights]) for evaluation in networks.values()]
        rows.append(
            ["INT8" if weights == "feedback" else weights, *(f"{100 * row['top1']:.2f}" for pair in pairs for row in pair)]
        )
    head = []
    for evaluation in networks.values():
        error = 100 * evaluation["packed"]["dense"]["top1_error"]
        head += [f"{evaluation['title']}, {evaluation['samples']:,} samples, ± {error:.1f}: packed", "rounded"]
    return table(["weights", *head], rows, 2 * len(networks))


def runs(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All rounds and libraries by title."""
    rounds = [("kinds and structures", "structures"), ("formats", "formats"), ("last round", "final")]
    found = [(title, results[name]) for title, name in rounds]
    found += [(f"last round, {c.title}", results["abroad"][c.name]) for c in CELLS if c.name in results["abroad"]]
    return found + [(f"levels, {title}", result) for title, result in titles(results)]


def checked(results: dict[str, Any]) -> str:
    """What was simulated and compared."""
    lines = []
    for title, result in runs(results):
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
    for layer in results["final"]["comparison"]["designs"][0]["layers"]:
        cases.setdefault(layer["case"], []).append(f"{layer['layer']} ({layer['products']:,} products)")
    text = "; ".join(f"{case}: {', '.join(layers)}" for case, layers in cases.items())
    how = (
        "Weights of the search are rounded for each format by `strumc quantize --format`, from float networks."
        if results["models"]
        else "Weights of the search are those of the shipped networks, packed by error."
    )
    text = wrapped(f"{how} Layers of the last round: {text}.")
    return "\n".join([text, "", head, "|---|---:|---:|---:|---:|---:|---|", *lines])


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
        "structures": search_table(results["structures"]),
        "formats": formats_table(results["formats"]),
        "search": search_table(results["final"]),
        "abroad": abroad_table(results),
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
