"""One network in both programs."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

Array = NDArray[Any]

# Bytes for the tensors of a network.
ARENA = 64_000_000


@dataclass
class Outcome:
    """What became of a network: equal, different, refused, or not run by the reference."""

    kind: str
    text: str


@dataclass
class Port:
    """An input or output: shape, element type, and the scale and zero point of codes."""

    shape: list[int]
    dtype: Any
    scale: float
    zero_point: int


def ports(file: Path, side: str) -> list[Port]:
    """The inputs or outputs; floats behind QUANTIZE or before DEQUANTIZE have the codes of that operator."""
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    graph = model.subgraphs[0]
    types = {0: np.float32, 2: np.int32, 3: np.uint8, 6: np.bool_, 9: np.int8}
    found = []
    for index in graph.inputs if side == "inputs" else graph.outputs:
        tensor = coded = graph.tensors[index]
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            if tensor.type == 0 and side == "inputs" and number == 114 and operator.inputs[0] == index:
                coded = graph.tensors[operator.outputs[0]]
            if tensor.type == 0 and side == "outputs" and number == 6 and operator.outputs[0] == index:
                coded = graph.tensors[operator.inputs[0]]
        codes = coded.quantization
        has_codes = coded.type in (3, 9) and codes is not None and codes.scale is not None
        scale, zero = (float(codes.scale[0]), int(codes.zeroPoint[0])) if has_codes else (0.0, 0)
        if coded.type == 3:
            zero -= 128
        found.append(Port([int(d) for d in tensor.shape], types.get(tensor.type), scale, zero))
    return found


# The programs with TFLite's reference kernels.
REFERENCES = ("tflite-micro", "litert")


def network(file: Path, strumc: str, count: int, seed: int, reference: str = REFERENCES[0]) -> Outcome:
    """Runs a sequence of random inputs in `strumc` and the reference, or LiteRT where tflite-micro cannot run the file."""
    inputs, outputs = ports(file, "inputs"), ports(file, "outputs")
    random = np.random.default_rng(seed)
    samples = [[_codes(random, port, index) for index in range(count)] for port in inputs]
    with tempfile.TemporaryDirectory() as folder:
        command = [strumc, "run", str(file)]
        for index, codes in enumerate(samples):
            path = Path(folder, f"input_{index}.npy")
            np.save(path, np.stack(codes))
            command += ["--input", str(path)]
        results = [Path(folder, f"output_{index}.npy") for index in range(len(outputs))]
        for path in results:
            command += ["--output", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            return Outcome("refused", (errors or ["no message"])[0])
        got = [np.load(path) for path in results]
    if reference == REFERENCES[0]:
        try:
            return _judge(outputs, got, _micro(file, inputs, outputs, samples, count), count)
        except Exception:  # It raises whatever its C++ code reports, such as an operator that it does not have.
            pass
    try:
        judged = _judge(outputs, got, _litert(file, inputs, samples, count), count)
    except Exception as error:
        return Outcome("no reference", (str(error).splitlines() or [type(error).__name__])[0])
    return Outcome(judged.kind, f"{judged.text}, LiteRT")


def _codes(random: np.random.Generator, port: Port, index: int) -> Array:
    if port.scale == 0.0 and port.dtype is not np.int8:
        return random.normal(size=port.shape).astype(np.float32)
    # All codes, or few around a mean that wanders: networks saturate on noise.
    if index % 2 == 0:
        return random.integers(-128, 128, port.shape).astype(np.int8)
    around = random.integers(-100, 100)
    return np.clip(random.normal(around, 20, port.shape), -128, 127).astype(np.int8)


def _as_stored(port: Port, codes: Array) -> Array:
    """Codes of `strumc` in the element type of the file's input."""
    if port.dtype is np.float32 and port.scale != 0.0:
        return (codes.astype(np.float32) - port.zero_point) * np.float32(port.scale)
    if port.dtype is np.uint8:
        return (codes.astype(np.int32) + 128).astype(np.uint8)
    return codes


def _micro(
    file: Path, inputs: list[Port], outputs: list[Port], samples: list[list[Array]], count: int
) -> list[list[Array]]:
    interpreter = runtime.Interpreter.from_file(str(file), arena_size=ARENA)
    expected: list[list[Array]] = [[] for _ in outputs]
    for sample in range(count):
        for index, port in enumerate(inputs):
            interpreter.set_input(_as_stored(port, samples[index][sample]), index)
        interpreter.invoke()
        for index in range(len(outputs)):
            expected[index].append(interpreter.get_output(index).copy())
    return expected


def _litert(file: Path, inputs: list[Port], samples: list[list[Array]], count: int) -> list[list[Array]]:
    """The same by LiteRT with its reference kernels, which have more operators on codes."""
    resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(str(file), experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    expected: list[list[Array]] = [[] for _ in interpreter.get_output_details()]
    for sample in range(count):
        for index, port in enumerate(inputs):
            detail = interpreter.get_input_details()[index]
            interpreter.set_tensor(detail["index"], _as_stored(port, samples[index][sample]))
        interpreter.invoke()
        for index, detail in enumerate(interpreter.get_output_details()):
            expected[index].append(interpreter.get_tensor(detail["index"]).copy())
    return expected


def _judge(outputs: list[Port], got: list[Array], expected: list[list[Array]], count: int) -> Outcome:
    for index, port in enumerate(outputs):
        want = np.stack(expected[index]).astype(np.float64).reshape(count, -1)
        have = got[index].astype(np.float64).reshape(count, -1)
        if port.scale == 0.0 and port.dtype is np.float32:
            worst = float(np.abs(have - want).max() / (np.abs(want).max() + 1e-9))
            if worst > 1e-4:
                return Outcome("different", f"output {index}: {worst:.1e} of the largest value")
            continue
        if port.dtype is np.float32:
            want = np.round(want / np.float64(port.scale)) + port.zero_point
        elif port.dtype is np.uint8:
            want -= 128
        if got[index].dtype == np.uint8:
            have -= 128
        wrong = int(np.count_nonzero(have != want))
        if wrong:
            return Outcome("different", f"output {index}: {wrong} of {want.size} codes, by up to {np.abs(have - want).max():.0f}")
    values = len(np.unique(np.concatenate([np.stack(e).reshape(-1) for e in expected])))
    return Outcome("equal", f"{count} inputs, {values} different values")
