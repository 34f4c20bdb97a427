"""The documents."""

from __future__ import annotations

import textwrap
from pathlib import Path

from .measure import AGAIN, CONFIGS, FROM_INT8, LIKE, ROUNDED, SEARCH_SAMPLES, STORAGES, Result

BEGIN, END = "<!-- accuracy: tools/accuracy/run -->", "<!-- end of accuracy -->"

TITLES = {
    "float": "float",
    "dense": "INT8",
    **{config: title for title, config in CONFIGS},
    **{ROUNDED.format(storage): title for title, storage in STORAGES},
    **{FROM_INT8.format(storage): title for title, storage in AGAIN},
    "searched": f"searched, within the size of {LIKE}",
}

NO_VALIDATION_SET = (
    "No ImageNet validation set was available: the figures of EfficientNet-Lite0 are agreement with the float network and SQNR on "
    "100 images; the 20 labelled photographs among them only show that the network is intact."
)


def wrapped(text: str) -> str:
    """Paragraphs, with lines as long as prose in documents may be."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(textwrap.fill(p, 140, break_long_words=False, break_on_hyphens=False) for p in paragraphs) + "\n"


HEAD = wrapped(f"""\
# Accuracy

Written by `tools/accuracy/run MODELS`; all figures are measured here, with exact results of the simulator. {NO_VALIDATION_SET}

Networks are quantized by `strumc quantize` with its defaults, with calibration samples that are not among the test samples. Half of each
block of 16 weights is low (p = ½). Depthwise layers and layers with fewer than 16 input channels stay INT8, except in the searched rows,
where `strumc tune --max-bytes` chooses per layer with {SEARCH_SAMPLES} calibration samples, within the bytes of uniform `{LIKE}`. "By
activation" is `select=activation`, "corrected" `correct=both`: the least-squares factor of every channel, and its mean error in the bias.
"GPTQ-rounded" is a separate network, from `strumc quantize --format`: its weights are rounded to values that the format represents exactly,
each error compensated in the weights not yet rounded, so packing is lossless. "INT8 rounded again" is the same with the plain INT8 network
in place of the float one, as for networks that are integer already: its codes are approximated, so that its own distance from the float
network remains. The settings are the same for all networks. Small changes of them change single answers: with other ridges, mip2q gave
between 93.8 and 94.4 %, and between 23 and 26 dB, on the 1,000 lines of text.

`±` is the standard error of the accuracy; differences between rows of one network are more certain, since they use the same samples.
Agreement and the SQNR of the logits (logits dB) are against the float network, the SQNR of the weights (weights dB) against the INT8 codes.
""")


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def number(row: dict, key: str) -> str:
    return "–" if row[key] is None else f"{row[key]:,}"


def decibels(row: dict, key: str) -> str:
    if row["name"] == "float":
        return "–"
    return "exact" if row.get(key) is None else f"{row[key]:.2f}"


def top1(row: dict) -> str:
    if row["top1"] is None:
        return "–"
    return f"{percent(row['top1'])} ± {percent(row['top1_error'])}"


def table(result: Result) -> str:
    """One network's rows."""
    few = 0 < result.labelled < result.samples
    right = f"right of {result.labelled}" if few else "top-1 %"
    lines = [
        f"## {result.network.title}\n",
        f"| weights | {right} | agreement % | logits dB | weights dB | bytes | cycles |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in result.rows.items():
        answers = f"{row['top1'] * result.labelled:.0f}" if few else top1(row)
        lines.append(
            f"| {TITLES[name]} | {answers} | {percent(row['agreement'])} | {decibels(row, 'sqnr_db')} "
            f"| {decibels(row, 'weight_sqnr_db')} | {number(row, 'weight_bytes')} | {number(row, 'cycles')} |"
        )
    return "\n".join(lines) + "\n"


def document(results: list[Result]) -> str:
    """docs/accuracy.md."""
    return HEAD + "\n" + "\n".join(table(result) for result in results)


# Title and row.
SUMMARY = [
    ("float", "float"),
    ("INT8", "dense"),
    ("mip2q", "mip2q"),
    ("mip2q, GPTQ", "rounded mip2q"),
    ("dliq, GPTQ", "rounded dliq"),
    ("sparse", "sparse"),
    ("sparse, GPTQ", "rounded sparse"),
    ("searched", "searched"),
]


def summary(results: list[Result]) -> str:
    """The README's table."""
    lines = [
        "| network | " + " | ".join(title for title, _ in SUMMARY) + " |",
        "|---" * (len(SUMMARY) + 1) + "|",
    ]
    for result in results:
        if result.labelled == result.samples:
            what, cell = "top-1 %", top1
        else:
            what, cell = "logits dB", lambda row: decibels(row, "sqnr_db")
        cells = [cell(result.rows[name]) for _, name in SUMMARY]
        lines.append(f"| {result.network.title}: {what} | " + " | ".join(cells) + " |")
    rounded = "GPTQ: weights rounded by `strumc quantize --format`, with the same calibration samples."
    searched = f"{rounded} The searched packing uses no more bytes than uniform {LIKE}."
    return "\n".join(lines) + "\n\n" + wrapped(f"{searched} {NO_VALIDATION_SET}")


def put(readme: Path, text: str) -> None:
    """Puts the table between its marks."""
    whole = readme.read_text()
    before, rest = whole.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
