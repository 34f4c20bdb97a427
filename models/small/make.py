"""Writes the networks of this folder, small TFLite and ONNX files for tests and documents, and inputs for them.

Needs the packages onnx, tflite, flatbuffers and numpy. The weights follow from formulas, so that the files are always the same.
"""

from __future__ import annotations

import pathlib
from typing import Any

import flatbuffers
import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent

CODES = 9
FLOATS = 0
INTS = 2
BYTES = 3


class Model:
    """A TFLite file with one subgraph."""

    def __init__(self) -> None:
        """Starts an empty file."""
        self.build = flatbuffers.Builder(4096)
        self.codes: list[int] = []
        self.buffers: list[bytes] = [b""]
        self.tensors: list[int] = []
        self.operators: list[int] = []

    def vector(self, values: list[int], start: Any) -> int:
        """A vector of 32-bit integers."""
        start(self.build, len(values))
        for value in reversed(values):
            self.build.PrependInt32(value)
        return int(self.build.EndVector())

    def offsets(self, values: list[int], start: Any) -> int:
        """A vector of tables."""
        start(self.build, len(values))
        for value in reversed(values):
            self.build.PrependUOffsetTRelative(value)
        return int(self.build.EndVector())

    def tensor(
        self,
        name: str,
        shape: list[int],
        kind: int,
        *,
        scale: list[float] | None = None,
        zero: int = 0,
        data: bytes | None = None,
        open_batch: bool = False,
    ) -> int:
        """A tensor, constant if it has data; with an open batch, the first extent is unknown."""
        build = self.build
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append(data)
        label = build.CreateString(name)
        extents = self.vector(shape, tflite.TensorStartShapeVector)
        signature = None
        if open_batch:
            signature = self.vector([-1, *shape[1:]], tflite.TensorStartShapeSignatureVector)
        params = None
        if scale is not None:
            tflite.QuantizationParametersStartScaleVector(build, len(scale))
            for value in reversed(scale):
                build.PrependFloat32(value)
            scales = build.EndVector()
            tflite.QuantizationParametersStartZeroPointVector(build, len(scale))
            for _ in scale:
                build.PrependInt64(zero)
            zeros = build.EndVector()
            tflite.QuantizationParametersStart(build)
            tflite.QuantizationParametersAddScale(build, scales)
            tflite.QuantizationParametersAddZeroPoint(build, zeros)
            params = tflite.QuantizationParametersEnd(build)
        tflite.TensorStart(build)
        tflite.TensorAddShape(build, extents)
        tflite.TensorAddType(build, kind)
        tflite.TensorAddBuffer(build, buffer)
        tflite.TensorAddName(build, label)
        if params is not None:
            tflite.TensorAddQuantization(build, params)
        if signature is not None:
            tflite.TensorAddShapeSignature(build, signature)
        self.tensors.append(tflite.TensorEnd(build))
        return len(self.tensors) - 1

    def operator(
        self, code: int, inputs: list[int], outputs: list[int], options: tuple[int, int] | None = None
    ) -> None:
        """An operator with the type and the table of its options."""
        if code not in self.codes:
            self.codes.append(code)
        build = self.build
        reads = self.vector(inputs, tflite.OperatorStartInputsVector)
        writes = self.vector(outputs, tflite.OperatorStartOutputsVector)
        tflite.OperatorStart(build)
        tflite.OperatorAddOpcodeIndex(build, self.codes.index(code))
        tflite.OperatorAddInputs(build, reads)
        tflite.OperatorAddOutputs(build, writes)
        if options is not None:
            tflite.OperatorAddBuiltinOptionsType(build, options[0])
            tflite.OperatorAddBuiltinOptions(build, options[1])
        self.operators.append(tflite.OperatorEnd(build))

    def conv(self, name: str, image: int, out: int, weights: np.ndarray, scales: list[float]) -> None:
        """A convolution of kernel 3, SAME, with ReLU; `scales` are those of image and weights."""
        build = self.build
        count = weights.shape[0]
        w = self.tensor(f"{name}/weights", list(weights.shape), CODES, scale=scales[1:], data=weights.tobytes())
        bias = np.arange(count, dtype=np.int32) * 7 - 5
        steps = [scales[0] * scale for scale in scales[1:]]
        b = self.tensor(f"{name}/bias", [count], INTS, scale=steps, data=bias.tobytes())
        tflite.Conv2DOptionsStart(build)
        tflite.Conv2DOptionsAddPadding(build, 0)
        tflite.Conv2DOptionsAddStrideW(build, 1)
        tflite.Conv2DOptionsAddStrideH(build, 1)
        tflite.Conv2DOptionsAddFusedActivationFunction(build, 1)
        options = tflite.Conv2DOptionsEnd(build)
        self.operator(tflite.BuiltinOperator.CONV_2D, [image, w, b], [out], (tflite.BuiltinOptions.Conv2DOptions, options))

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The file."""
        build = self.build
        tables = []
        for data in self.buffers:
            vector = build.CreateByteVector(data) if data else None
            tflite.BufferStart(build)
            if vector is not None:
                tflite.BufferAddData(build, vector)
            tables.append(tflite.BufferEnd(build))
        buffers = self.offsets(tables, tflite.ModelStartBuffersVector)
        codes = []
        for code in self.codes:
            tflite.OperatorCodeStart(build)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(build, min(code, 127))
            tflite.OperatorCodeAddVersion(build, 1)
            tflite.OperatorCodeAddBuiltinCode(build, code)
            codes.append(tflite.OperatorCodeEnd(build))
        operator_codes = self.offsets(codes, tflite.ModelStartOperatorCodesVector)
        tensors = self.offsets(self.tensors, tflite.SubGraphStartTensorsVector)
        operators = self.offsets(self.operators, tflite.SubGraphStartOperatorsVector)
        ins = self.vector(inputs, tflite.SubGraphStartInputsVector)
        outs = self.vector(outputs, tflite.SubGraphStartOutputsVector)
        name = build.CreateString("main")
        tflite.SubGraphStart(build)
        tflite.SubGraphAddTensors(build, tensors)
        tflite.SubGraphAddInputs(build, ins)
        tflite.SubGraphAddOutputs(build, outs)
        tflite.SubGraphAddOperators(build, operators)
        tflite.SubGraphAddName(build, name)
        graphs = self.offsets([tflite.SubGraphEnd(build)], tflite.ModelStartSubgraphsVector)
        text = build.CreateString("models/small/make.py")
        tflite.ModelStart(build)
        tflite.ModelAddVersion(build, 3)
        tflite.ModelAddOperatorCodes(build, operator_codes)
        tflite.ModelAddSubgraphs(build, graphs)
        tflite.ModelAddDescription(build, text)
        tflite.ModelAddBuffers(build, buffers)
        build.Finish(tflite.ModelEnd(build), file_identifier=b"TFL3")
        return bytes(build.Output())


def weights(outputs: int, inputs: int) -> np.ndarray:
    """INT8 weights of kernel 3."""
    count = outputs * 9 * inputs
    return ((np.arange(count) * 37 % 251) - 125).astype(np.int8).reshape(outputs, 3, 3, inputs)


def int8() -> bytes:
    """An INT8 network whose batch is open."""
    m = Model()
    x = m.tensor("image", [1, 4, 4, 16], CODES, scale=[0.5], zero=-1, open_batch=True)
    y = m.tensor("scores", [1, 4, 4, 3], CODES, scale=[8.0], zero=-128, open_batch=True)
    m.conv("conv", x, y, weights(3, 16), [0.5, 0.02, 0.03, 0.04])
    return m.finish([x], [y])


def edges() -> bytes:
    """The same between real numbers, as Keras exports networks."""
    m = Model()
    real = m.tensor("image", [1, 4, 4, 16], FLOATS, open_batch=True)
    x = m.tensor("image_int8", [1, 4, 4, 16], CODES, scale=[0.5], zero=-1, open_batch=True)
    y = m.tensor("scores_int8", [1, 4, 4, 3], CODES, scale=[8.0], zero=-128, open_batch=True)
    out = m.tensor("scores", [1, 4, 4, 3], FLOATS, open_batch=True)
    m.operator(tflite.BuiltinOperator.QUANTIZE, [real], [x])
    m.conv("conv", x, y, weights(3, 16), [0.5, 0.02, 0.03, 0.04])
    m.operator(tflite.BuiltinOperator.DEQUANTIZE, [y], [out])
    return m.finish([real], [out])


def uint8() -> bytes:
    """A network on unsigned bytes: the maximum of two images."""
    m = Model()
    a = m.tensor("a", [1, 2, 2, 4], BYTES, scale=[0.25], zero=100)
    b = m.tensor("b", [1, 2, 2, 4], BYTES, scale=[0.25], zero=100)
    y = m.tensor("y", [1, 2, 2, 4], BYTES, scale=[0.25], zero=100)
    m.operator(tflite.BuiltinOperator.MAXIMUM, [a, b], [y])
    return m.finish([a, b], [y])


def refused() -> bytes:
    """Two operators that no one here knows, behind a convolution."""
    m = Model()
    x = m.tensor("image", [1, 4, 4, 16], CODES, scale=[0.5], zero=-1)
    y = m.tensor("scores", [1, 4, 4, 3], CODES, scale=[8.0], zero=-128)
    m.conv("conv", x, y, weights(3, 16), [0.5, 0.02, 0.03, 0.04])
    first = m.tensor("first", [1, 4, 4, 3], CODES, scale=[8.0], zero=-128)
    second = m.tensor("second", [1, 4, 4, 3], CODES, scale=[8.0], zero=-128)
    m.operator(tflite.BuiltinOperator.SIGN, [y], [first])
    m.operator(tflite.BuiltinOperator.SIGN, [first], [second])
    return m.finish([x], [second])


def float_onnx() -> bytes:
    """A float network: convolution, ReLU, mean, fully connected."""
    w = (np.arange(8 * 4 * 9) * 37 % 61 - 30).astype(np.float32).reshape(8, 4, 3, 3) / 64
    v = (np.arange(3 * 8) * 13 % 17 - 8).astype(np.float32).reshape(3, 8) / 16
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["m"], name="mean"),
        helper.make_node("Flatten", ["m"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "v", "d"], ["scores"], name="dense", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "float",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 4, 6, 6])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(w, "w"),
            numpy_helper.from_array(np.arange(8, dtype=np.float32) / 8, "b"),
            numpy_helper.from_array(v, "v"),
            numpy_helper.from_array(np.array([0.5, -0.5, 0.25], dtype=np.float32), "d"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def qdq_onnx() -> bytes:
    """A quantized network: a convolution and ReLU between QuantizeLinear and DequantizeLinear."""
    scalars: list[Any] = []

    def scalar(name: str, value: Any) -> str:
        scalars.append(numpy_helper.from_array(np.array(value), name))
        return name

    def pair(name: str, value: str, scale: str, zero: str) -> list[Any]:
        return [
            helper.make_node("QuantizeLinear", [value, scale, zero], [f"{name}_q"], name=f"{name}_quantize"),
            helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [f"{name}_d"], name=f"{name}_dequantize"),
        ]

    w = weights(3, 4).transpose(0, 3, 1, 2)
    step = np.array([0.02, 0.03, 0.04], dtype=np.float32)
    bias = np.array([-5, 2, 9], dtype=np.int32)
    nodes = [
        *pair("image", "image", scalar("xs", np.float32(0.5)), scalar("xz", np.int8(-1))),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="weights", axis=0),
        helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], name="bias", axis=0),
        helper.make_node("Conv", ["image_d", "wd", "bd"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        *pair("scores", "r", scalar("ys", np.float32(8)), scalar("yz", np.int8(-128))),
    ]
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4, 6, 6])],
        [helper.make_tensor_value_info("scores_d", TensorProto.FLOAT, [1, 3, 6, 6])],
        [
            *scalars,
            numpy_helper.from_array(np.ascontiguousarray(w), "w"),
            numpy_helper.from_array(step, "ws"),
            numpy_helper.from_array(np.zeros(3, dtype=np.int8), "wz"),
            numpy_helper.from_array(bias, "b"),
            numpy_helper.from_array(step * np.float32(0.5), "bs"),
            numpy_helper.from_array(np.zeros(3, dtype=np.int32), "bz"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def main() -> None:
    """Writes all files."""
    files = {
        "int8.tflite": int8(),
        "edges.tflite": edges(),
        "uint8.tflite": uint8(),
        "refused.tflite": refused(),
        "float.onnx": float_onnx(),
        "qdq.onnx": qdq_onnx(),
    }
    for name, data in files.items():
        (HERE / name).write_bytes(data)
    codes = ((np.arange(256) * 37 % 251) - 125).astype(np.float32).reshape(1, 4, 4, 16)
    np.save(HERE / "image.npy", (codes + 1) / 2)
    pixels = (np.arange(4 * 4 * 36) * 29 % 41 - 20).astype(np.float32) / 16
    np.save(HERE / "pixels.npy", pixels.reshape(4, 4, 6, 6))


if __name__ == "__main__":
    main()
