"""From an ONNX file to MLIR."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime

from .common import LEVELS, Unusable, save

PIPELINES = {
    "linalg": "torch-backend-to-linalg-on-tensors-backend-pipeline",
    "tosa": "torch-backend-to-tosa-backend-pipeline",
}
# Places of operators in the ONNX file, for the messages of later tools.
SOURCES = "--mlir-print-debuginfo"


# torch-mlir does not import all operators of earlier versions.
OPSET = 17


def upgraded(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The model in the versions of operators that torch-mlir imports; one that has them already stays as it is."""
    own = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), OPSET)
    if own >= OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # of ONNX's converter, of many kinds
        raise Unusable(f"{path} has operators of version {own}, which ONNX does not convert to {OPSET}: {error}") from error


def fixed(path: Path, shape: list[int] | None) -> onnx.ModelProto:
    """The model with an input of known shape: one sample, and the given shape where the file has dynamic extents."""
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # of the file system, protobuf and ONNX, which have no common base
        raise Unusable(f"{path} is not a readable ONNX file: {error}") from error
    model = upgraded(model, path)
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in held]
    if len(inputs) != 1:
        raise Unusable(f"{path} has {len(inputs)} inputs, expected one")
    dims = inputs[0].type.tensor_type.shape.dim
    if shape is not None and len(shape) != len(dims):
        raise Unusable(f"--shape has {len(shape)} extents, the input has {len(dims)}")
    for axis, dim in enumerate(dims):
        if shape is not None:
            dim.dim_value = shape[axis]
        elif dim.dim_value <= 0:
            if axis > 0:
                raise Unusable(f"{path} has a dynamic extent {axis} of its input: give --shape, such as 1x3x224x224")
            dim.dim_value = 1
    # The file's shapes of intermediate values may be of another size.
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model


def simplified(model: onnx.ModelProto, stem: Path) -> Path:
    """Writes the model as ONNX Runtime's basic optimizations leave it: without batch norm and constant parts."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    path = stem.with_name(f"{stem.name}.simplified.onnx")
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def tell_shapes(path: Path, answers: list[np.ndarray]) -> None:
    """Adds the shapes of its outputs to a model, which importers require."""
    model = onnx.load(path)
    for value, answer in zip(model.graph.output, answers, strict=True):
        value.type.tensor_type.shape.ClearField("dim")
        for extent in answer.shape:
            value.type.tensor_type.shape.dim.add().dim_value = extent
    onnx.save(model, path)


def run(step: str, *command: str) -> None:
    """Runs a tool of torch-mlir."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unusable(f"{step}: {(done.stderr or done.stdout).strip()[-2000:]}")


def export(path: Path, stem: Path, shape: list[int] | None, samples: int) -> list[Path]:
    """Writes both levels, inputs, and ONNX Runtime's outputs for them; returns the files."""
    model = fixed(path, shape)
    temporary = [stem.with_name(f"{stem.name}.{end}") for end in ("torch.mlir", "backend.mlir")]
    simple = simplified(model, stem)
    try:
        session = onnxruntime.InferenceSession(str(simple), providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        images = np.random.default_rng(0).standard_normal((samples, *entry.shape), dtype=np.float32)
        answers = [session.run(None, {entry.name: image}) for image in images]
        outputs = np.stack([answer[0] for answer in answers])
        tell_shapes(simple, answers[0])
        written = [save(stem, "input", images), save(stem, "output", outputs)]
        tools = Path(sys.executable).parent
        run("import", str(tools / "torch-mlir-import-onnx"), str(simple), "-o", str(temporary[0]))
        to_torch = "--pass-pipeline=builtin.module(torch-onnx-to-torch-backend-pipeline)"
        run("torch", str(tools / "torch-mlir-opt"), str(temporary[0]), to_torch, SOURCES, "-o", str(temporary[1]))
        for level in LEVELS:
            target = stem.with_name(f"{stem.name}.{level}.mlirbc")
            pipeline = f"--pass-pipeline=builtin.module({PIPELINES[level]})"
            tool = str(tools / "torch-mlir-opt")
            run(level, tool, str(temporary[1]), pipeline, "--emit-bytecode", "-o", str(target))
            written.append(target)
    finally:
        for file in [simple, *temporary]:
            file.unlink(missing_ok=True)
    return written
