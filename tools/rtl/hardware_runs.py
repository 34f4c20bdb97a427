"""What tools/hardware runs: networks, inputs, libraries, and the programs that trace and measure them."""

from __future__ import annotations

import ast
import hashlib
import json
import struct
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Channels of a layer and PE that a trace holds: the same in all formats, so that traces end at the same vector.
TRACED_CHANNELS = 4096
LANES = 8


@dataclass(frozen=True)
class Case:
    """A network, an input, and layers that are traced."""

    name: str
    network: str
    data: str
    sample: int
    layers: tuple[str, ...]
    pes: str
    # Whether weights are rounded for their format, with --models; else the shipped network is packed.
    rounded: bool


SOME = "5,50,90,130,170,210,250"
ALL = "0-255"


@dataclass(frozen=True)
class Cells:
    """A cell library."""

    name: str
    title: str
    files: tuple[str, ...]
    period_ns: float

    def options(self, folder: Path | None) -> list[str]:
        """Options of strum-rtl."""
        liberty = ["--liberty", *(str(folder / file) for file in self.files)] if folder and self.files else []
        return [*liberty, "--period", str(self.period_ns)]


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


@dataclass(frozen=True)
class Network:
    """A float network with labelled samples in the folder of --models and in the folder `float` beside it."""

    name: str
    title: str
    # Mean and deviation of its pixels.
    mean: float
    deviation: float
    # Whether test samples are the integer codes of its input, or pixels with the widths of the lines.
    codes: bool = True


NETWORKS = [
    Network("resnet20", "ResNet-20", 0.5, 0.25),
    Network("mnist_lenet", "LeNet, distorted digits", 0.1307, 0.3081),
    Network("ppocr_cls", "PP-OCR direction classifier", 0.5, 0.5, codes=False),
]


def say(text: str) -> None:
    """Shows progress."""
    print(f"tools/hardware: {text}", file=sys.stderr, flush=True)


def load(path: Path) -> dict[str, Any]:
    """A JSON object of a file."""
    value: dict[str, Any] = json.loads(path.read_text())
    return value


@dataclass
class Array:
    """An array of a NumPy file (format 1.0)."""

    descr: str
    shape: tuple[int, ...]
    data: bytes

    @staticmethod
    def read(path: Path, key: str = "") -> Array:
        """An array file, or an array of an archive."""
        content = path.read_bytes() if path.suffix == ".npy" else zipfile.ZipFile(path).read(f"{key}.npy")
        end = 10 + int.from_bytes(content[8:10], "little")
        header = ast.literal_eval(content[10:end].decode())
        return Array(header["descr"], tuple(header["shape"]), content[end:])

    def write(self, path: Path) -> None:
        """Writes an array file."""
        text = repr({"descr": self.descr, "fortran_order": False, "shape": self.shape}).encode()
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + self.data)

    def sample(self, index: int) -> Array:
        """One of its samples, which are bytes."""
        size = len(self.data) // self.shape[0]
        return Array(self.descr, (1, *self.shape[1:]), self.data[index * size : (index + 1) * size])

    def channels_first(self) -> Array:
        """Samples of bytes whose channels come last, with channels first."""
        samples, rows, columns, channels = self.shape
        size = rows * columns * channels
        parts = (self.data[s * size + c : (s + 1) * size : channels] for s in range(samples) for c in range(channels))
        return Array(self.descr, (samples, channels, rows, columns), b"".join(parts))

    def prepared(self, mean: float, deviation: float, widths: bytes | None) -> Array:
        """Pixels as a network takes them; columns from a width on are 0."""
        values = [(pixel / 255 - mean) / deviation for pixel in range(256)]
        table = [struct.pack("<f", value) for value in values]
        data = bytearray(b"".join([table[pixel] for pixel in self.data]))
        shape = self.shape if len(self.shape) == 4 else (self.shape[0], 1, *self.shape[1:])
        if widths is not None:
            samples, channels, rows, columns = shape
            for line in range(samples * channels * rows):
                width = widths[line // (channels * rows)]
                data[4 * (line * columns + width) : 4 * (line + 1) * columns] = bytes(4 * max(columns - width, 0))
        return Array("<f4", shape, bytes(data))


class Bench:
    """Runs the programs, and keeps what they give."""

    def __init__(self, programs: Path, folder: Path, models: Path | None) -> None:
        self.programs = programs
        self.folder = folder
        self.models = models
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

    def floats(self, models: Path) -> Path:
        """The folder of float networks."""
        return models.resolve().parent / "float"

    def calibration(self, models: Path, network: Network) -> Path:
        """Calibration samples of a network."""
        path = self.traces / f"{network.name}-calibration.npy"
        if not path.exists():
            self.pixels(self.floats(models) / f"{network.name}_calib.npz", network).write(path)
        return path

    def pixels(self, archive: Path, network: Network) -> Array:
        """Images of an archive as a network takes them."""
        widths = None if network.codes else Array.read(archive, "widths").data
        return Array.read(archive, "images_u8").prepared(network.mean, network.deviation, widths)

    def rounded(self, models: Path, name: str, weights: str) -> Path:
        """A network whose weights are rounded for a format; for plain INT8 to the nearest, or with `feedback`."""
        network = next(network for network in NETWORKS if network.name == name)
        path = self.traces / f"{name}.{file_name(weights)}.mlirbc"
        if not path.exists():
            part = path.with_suffix(".part.mlirbc")
            how = {"dense": [], "feedback": ["--rounding", "feedback"]}.get(weights, ["--format", weights])
            source = str(self.floats(models) / f"{name}.tosa.mlirbc")
            calibration = ["-c", str(self.calibration(models, network))]
            self.run("strumc", "quantize", "-q", source, *calibration, *how, "-o", str(part))
            part.rename(path)
        return path

    def program(self, case: Case, weights: str) -> Path:
        """A program with weights of a format, and the tiles and schedules of the one with plain weights."""
        rounded = self.models is not None and case.rounded
        source = Path("models") / case.network / "model.tosa.mlirbc"
        if self.models and rounded:
            source = self.rounded(self.models, case.network, weights)
        stem = f"{case.network}.{file_name(weights)}.{'rounded' if rounded else 'packed'}"
        path, strategy = self.traces / f"{stem}.dpu", self.traces / f"{case.network}.{rounded}.strategy.json"
        if path.exists():
            return path
        if weights == "dense":
            plan = ["--write-strategy", str(strategy)]
        else:
            self.program(case, "dense")
            plan = ["--read-strategy", str(strategy)]
        part = path.with_suffix(".part")
        method, *parameters = weights.split(",")
        values = dict(text.split("=") for text in parameters)
        options = ["--zero"] if values.pop("zero", "false") == "true" else []
        options += [text for name, value in values.items() for text in (f"--{name}", value)]
        self.run("strumc", "compile", "-q", str(source), "-o", str(part), "--method", method, *options, *plan)
        part.rename(path)
        return path

    def sample(self, case: Case) -> str:
        """The input of a case: one sample, in a file of its own."""
        file, _, key = case.data.partition(":")
        path = self.traces / f"{case.name}.npy"
        sample = Array.read(Path("models") / case.network / file, key).sample(case.sample)
        if self.models and case.rounded:
            sample = sample.channels_first()
        sample.write(path)
        return str(path)

    def trace(self, case: Case, weights: str) -> Path:
        """The trace of a case with weights of a format."""
        key = hashlib.sha256(repr(case).encode()).hexdigest()[:8]
        path = self.traces / f"{case.name}.{file_name(weights)}.{key}.trace"
        if path.exists():
            return path
        say(f"tracing {case.name} with {weights} weights")
        program, part = self.program(case, weights), path.with_suffix(".part")
        vectors = TRACED_CHANNELS // max(LANES, block(weights))
        limits = ["--trace-limit", str(vectors), "--trace-pes", case.pes, "--trace-layers", *case.layers]
        self.run("dpu-sim", str(program), "-q", "--input", self.sample(case), "--trace-pe", str(part), *limits)
        part.rename(path)
        return path

    def explore(self, name: str, cases: list[Case], formats: list[str], products: int, options: list[str]) -> dict[str, Any]:
        """What `strum-rtl explore` gives on these cases."""
        traces = [str(self.trace(case, weights)) for weights in ["dense", *formats] for case in cases]
        say(f"mapping and simulating: {name}")
        output = self.folder / f"{name}.json"
        results = ["--results", str(self.folder / "results"), "--products", str(products), "-o", str(output)]
        self.run("strum-rtl", "explore", "--trace", *traces, *results, *options)
        return load(output)

    def labelled(self, models: Path, network: Network) -> tuple[Path, Path]:
        """Samples and labels."""
        samples, labels = (self.traces / f"{network.name}-{part}.npy" for part in ("samples", "labels"))
        if not labels.exists():
            if network.codes:
                archive = models / network.name / "test_q.npz"
                Array.read(archive, "x").channels_first().write(samples)
                answers = Array.read(archive, "y")
            else:
                archive = self.floats(models) / f"{network.name}_test.npz"
                self.pixels(archive, network).write(samples)
                answers = Array.read(archive, "labels")
            answers.write(labels)
        return samples, labels

    def evaluate(self, models: Path, network: Network, formats: list[str]) -> dict[str, Any]:
        """Accuracy with weights rounded to nearest and packed, and rounded for each format."""
        samples, labels = self.labelled(models, network)
        data = ["--inputs", str(samples), "--labels", str(labels)]

        def one(weights: str | None) -> dict[str, Any]:
            stem = "packed-" + hashlib.sha256(repr(formats).encode()).hexdigest()[:16] if weights is None else file_name(weights)
            path = self.traces / f"{network.name}.{stem}.eval.json"
            if not path.exists():
                say(f"evaluating {network.name}, {'packed' if weights is None else f'rounded for {weights}'}")
                configs = formats if weights is None else [weights]
                method = ["--methods", "dense"] if weights == "feedback" else []
                method = method or [text for config in configs for text in ("--config", config)]
                source = str(self.rounded(models, network.name, weights or "dense"))
                path.write_text(self.run("strumc", "eval", source, "--json", "--jobs", "1", *data, *method))
            return load(path)

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(one, [None, "feedback", *formats]))
        packed = {row["name"]: row for row in results[0]["rows"]}
        rows = {"feedback": results[1]["rows"][0]} | {
            f: result["rows"][-1] for f, result in zip(formats, results[2:], strict=True)
        }
        return {"title": network.title, "samples": results[0]["samples"], "packed": packed, "rounded": rows}


def block(weights: str) -> int:
    """The block length of a format; 0 without blocks."""
    return next((int(part[2:]) for part in weights.split(",") if part.startswith("w=")), 0)


def file_name(weights: str) -> str:
    """A format as a part of a file's name."""
    return weights.replace("=", "").replace(",", "-").replace(".", "_")
