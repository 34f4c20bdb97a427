"""Float networks: the tests of the package onnx, its nine light networks, and those of rapidocr-onnxruntime."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from .cases import Array, Case, input_names, runtime

# This test's results are written with five digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
OCR = "rapidocr-onnxruntime==1.4.4"
# Images of the sizes that the package's own pipeline makes.
OCR_SHAPES = {"det": (1, 3, 160, 224), "rec": (1, 3, 48, 320), "cls": (1, 3, 48, 192)}


def nodes(only: str | None) -> Iterator[Case]:
    """Tests of operators: with their float operands as inputs, and once more with all but the first as constants."""
    from onnx.backend.test.case.node import collect_testcases

    for test in collect_testcases(None):
        if test.kind != "node" or test.model is None or not test.data_sets or (only or "") not in test.name:
            continue
        inputs, outputs = test.data_sets[0]
        if all(isinstance(value, np.ndarray | np.generic) for value in [*inputs, *outputs]):
            arrays = [[np.asarray(value) for value in values] for values in (inputs, outputs)]
            yield from _variants(test.name, test.model, arrays[0], arrays[1])
    for folder in sorted(DATA.glob("pytorch-*/*")):
        if only is None or only in folder.name:
            yield from _stored(folder)


def _stored(folder: Path) -> Iterator[Case]:
    model = onnx.load(str(folder / "model.onnx"))
    if any(opset.domain == "" and opset.version < 7 for opset in model.opset_import):
        try:
            model = onnx.version_converter.convert_version(model, 13)
        except Exception:  # the converter has no adapter for some operators
            return
    sets = folder / "test_data_set_0"
    values = [
        [numpy_helper.to_array(onnx.load_tensor(str(path))) for path in sorted(sets.glob(pattern))]
        for pattern in ("input_*.pb", "output_*.pb")
    ]
    yield from _variants(folder.name, model, values[0], values[1])


def _variants(name: str, model: onnx.ModelProto, inputs: list[Array], outputs: list[Array]) -> Iterator[Case]:
    values = dict(zip(input_names(model), inputs))
    # Lists are taken for parameters, which must be constant.
    types = (np.float32, np.float16, np.float64)
    floats = [key for key, value in values.items() if value.dtype in types and value.ndim > 1]
    halves = any(value.dtype == np.float16 for value in [*inputs, *outputs])
    if not floats or any(output.dtype.kind != "f" for output in outputs):
        return
    for kept in ([floats] if floats == floats[:1] else [floats, floats[:1]]):
        made = onnx.ModelProto()
        made.CopyFrom(model)
        del made.graph.input[:]
        for value in model.graph.input:
            if value.name in kept:
                made.graph.input.append(value)
                shape = made.graph.input[-1].type.tensor_type.shape
                del shape.dim[:]
                for extent in values[value.name].shape:
                    shape.dim.add().dim_value = extent
            elif value.name in values:
                made.graph.initializer.append(numpy_helper.from_array(values[value.name], value.name))
        case = Case(name, made, [values[key].astype(np.float32) for key in kept], outputs)
        case.tolerance = 2e-3 if halves else ROUNDED.get(name, 1e-5)
        yield case


def light() -> Iterator[Case]:
    """The nine light networks with their stored outputs."""
    for path in sorted(DATA.glob("light/*.onnx")):
        model = onnx.load(str(path))
        constants = {tensor.name for tensor in model.graph.initializer}
        value = next(value for value in model.graph.input if value.name not in constants)
        shape = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        image = (np.arange(count).reshape(shape) / count).astype(np.float32)
        expected = numpy_helper.to_array(onnx.load_tensor(str(path).replace(".onnx", "_output_0.pb")))
        yield Case(path.stem, model, [image], [expected])


def ocr(folder: Path, seed: int) -> Iterator[Case]:
    """Detection, recognition and classification of text lines, on random images."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--dest", str(folder), OCR], check=True)
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(next(folder.glob("rapidocr*.whl"))) as archive:
        for entry in sorted(entry for entry in archive.namelist() if entry.endswith(".onnx")):
            model = onnx.load_model_from_string(archive.read(entry))
            shape = next(shape for key, shape in OCR_SHAPES.items() if f"_{key}_" in entry)
            image = rng.uniform(-1, 1, shape).astype(np.float32)
            [name] = input_names(model)
            case = Case(Path(entry).stem, model, [image], runtime(model, {name: image}))
            case.shapes = [f"{name}=" + "x".join(map(str, shape))]
            yield case
