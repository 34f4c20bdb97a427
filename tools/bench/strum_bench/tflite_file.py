"""Writes a network as an INT8 TFLite flatbuffer, the form that Vela reads.

Padding that TFLite's two schemes cannot express becomes a PAD operator; VALID drops rows that no window covers.
"""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import tflite

from .graph import Layer, Net, Tensor

SCHEMA_VERSION = 3


def write_tflite(net: Net, path: Path) -> None:
    """Writes `net`; input and output are int8 and NHWC."""
    path.write_bytes(_Writer().model(net))


class _Writer:
    def __init__(self) -> None:
        self.b = flatbuffers.Builder(1 << 20)
        self.buffers: list[int] = []
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.codes: list[int] = []
        self.known: dict[int, int] = {}
        self._buffer(b"")

    def model(self, net: Net) -> bytes:
        b = self.b
        self._activation(net.input)
        for layer in net.layers:
            getattr(self, layer.kind)(layer)
        ends = [self._ints(tflite.SubGraphStartInputsVector, [self.known[net.input.id]]),
                self._ints(tflite.SubGraphStartOutputsVector, [self.known[net.output.id]])]
        name = b.CreateString(net.name)
        tensors = self._offsets(tflite.SubGraphStartTensorsVector, self.tensors)
        operators = self._offsets(tflite.SubGraphStartOperatorsVector, self.operators)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, ends[0])
        tflite.SubGraphAddOutputs(b, ends[1])
        tflite.SubGraphAddOperators(b, operators)
        tflite.SubGraphAddName(b, name)
        graph = tflite.SubGraphEnd(b)
        graphs = self._offsets(tflite.ModelStartSubgraphsVector, [graph])
        codes = self._offsets(tflite.ModelStartOperatorCodesVector, [self._code(code) for code in self.codes])
        buffers = self._offsets(tflite.ModelStartBuffersVector, self.buffers)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, SCHEMA_VERSION)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffers)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())

    # Operators.

    def conv(self, layer: Layer) -> None:
        self._convolution(layer, layer.weights, 0, tflite.BuiltinOperator.CONV_2D)

    def depthwise(self, layer: Layer) -> None:
        # HWCM with M = 1 to 1HWC.
        weights = np.transpose(layer.weights, (3, 0, 1, 2))
        self._convolution(layer, weights, 3, tflite.BuiltinOperator.DEPTHWISE_CONV_2D)

    def _convolution(self, layer: Layer, weights: np.ndarray, axis: int, code: int) -> None:
        (x,) = layer.inputs
        source, padding = self._padded(layer)
        scales = layer.weight_scale.astype(np.float32)
        w = self._tensor(f"{layer.name}_w", weights.shape, tflite.TensorType.INT8, np.ascontiguousarray(weights),
                         scales, [0] * len(scales), axis)
        bias = self._tensor(f"{layer.name}_b", layer.bias.shape, tflite.TensorType.INT32, layer.bias,
                            scales * np.float32(x.scale), [0] * len(scales), 0)
        kind = "Conv2DOptions" if layer.kind == "conv" else "DepthwiseConv2DOptions"
        fields = {"Padding": padding, "StrideH": layer.stride, "StrideW": layer.stride, "DilationHFactor": 1,
                  "DilationWFactor": 1}
        if layer.kind == "depthwise":
            fields["DepthMultiplier"] = 1
        self._operator(code, [source, w, bias], self._activation(layer.output), kind, fields)

    def max_pool(self, layer: Layer) -> None:
        source, padding = self._padded(layer)
        self._pool(layer, source, padding, tflite.BuiltinOperator.MAX_POOL_2D)

    def avg_pool(self, layer: Layer) -> None:
        source = self.known[layer.inputs[0].id]
        self._pool(layer, source, tflite.Padding.VALID, tflite.BuiltinOperator.AVERAGE_POOL_2D)

    def _pool(self, layer: Layer, source: int, padding: int, code: int) -> None:
        fields = {"Padding": padding, "StrideH": layer.stride, "StrideW": layer.stride,
                  "FilterHeight": layer.kernel[0], "FilterWidth": layer.kernel[1]}
        self._operator(code, [source], self._activation(layer.output), "Pool2DOptions", fields)

    def add(self, layer: Layer) -> None:
        self._operator(tflite.BuiltinOperator.ADD, [self.known[x.id] for x in layer.inputs],
                       self._activation(layer.output), "AddOptions", {})

    def concat(self, layer: Layer) -> None:
        self._operator(tflite.BuiltinOperator.CONCATENATION, [self.known[x.id] for x in layer.inputs],
                       self._activation(layer.output), "ConcatenationOptions", {"Axis": 3})

    def reshape(self, layer: Layer) -> None:
        shape = np.array(layer.output.shape, np.int32)
        constant = self._tensor(f"{layer.name}_shape", shape.shape, tflite.TensorType.INT32, shape)
        self._operator(tflite.BuiltinOperator.RESHAPE, [self.known[layer.inputs[0].id], constant],
                       self._activation(layer.output))

    def _padded(self, layer: Layer) -> tuple[int, int]:
        """The operand of a sliding window and its padding scheme, after a PAD where neither scheme fits."""
        (x,) = layer.inputs
        source = self.known[x.id]
        top, bottom, left, right = (max(p, 0) for p in layer.pad)
        if (top, bottom, left, right) == (0, 0, 0, 0):
            return source, tflite.Padding.VALID
        n, h, w, c = x.shape
        same = tuple(_same(size, k, layer.stride) for size, k in ((h, layer.kernel[0]), (w, layer.kernel[1])))
        if same == ((top, bottom), (left, right)):
            return source, tflite.Padding.SAME
        pads = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        constant = self._tensor(f"{layer.name}_pads", pads.shape, tflite.TensorType.INT32, pads)
        shape = (n, h + top + bottom, w + left + right, c)
        padded = self._tensor(f"{layer.name}_padded", shape, tflite.TensorType.INT8, None, [x.scale],
                              [x.zero_point])
        self._operator(tflite.BuiltinOperator.PAD, [source, constant], padded)
        return padded, tflite.Padding.VALID

    # Parts.

    def _operator(self, code: int, inputs: list[int], output: int, kind: str | None = None, fields=None) -> None:
        """Appends an operator; `kind` is the name of its options table, `fields` their values."""
        b = self.b
        if kind is not None:
            getattr(tflite, f"{kind}Start")(b)
            for field, value in fields.items():
                getattr(tflite, f"{kind}Add{field}")(b, value)
            options = getattr(tflite, f"{kind}End")(b)
        if code not in self.codes:
            self.codes.append(code)
        ins = self._ints(tflite.OperatorStartInputsVector, inputs)
        outs = self._ints(tflite.OperatorStartOutputsVector, [output])
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, self.codes.index(code))
        tflite.OperatorAddInputs(b, ins)
        tflite.OperatorAddOutputs(b, outs)
        if kind is not None:
            tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, kind))
            tflite.OperatorAddBuiltinOptions(b, options)
        self.operators.append(tflite.OperatorEnd(b))

    def _code(self, code: int) -> int:
        tflite.OperatorCodeStart(self.b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.b, code)
        tflite.OperatorCodeAddBuiltinCode(self.b, code)
        tflite.OperatorCodeAddVersion(self.b, 1)
        return tflite.OperatorCodeEnd(self.b)

    def _activation(self, x: Tensor) -> int:
        if x.id not in self.known:
            self.known[x.id] = self._tensor(f"t{x.id}", x.shape, tflite.TensorType.INT8, None, [x.scale],
                                            [x.zero_point])
        return self.known[x.id]

    def _tensor(self, name, shape, dtype, data, scales=(), zero_points=(), axis: int = 0) -> int:
        b = self.b
        buffer = 0 if data is None else self._buffer(data.tobytes())
        label = b.CreateString(name)
        dims = self._ints(tflite.TensorStartShapeVector, list(shape))
        quantization = None
        if len(scales):
            scale = b.CreateNumpyVector(np.asarray(scales, np.float32))
            zero_point = b.CreateNumpyVector(np.asarray(zero_points, np.int64))
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scale)
            tflite.QuantizationParametersAddZeroPoint(b, zero_point)
            tflite.QuantizationParametersAddQuantizedDimension(b, axis)
            quantization = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, dims)
        tflite.TensorAddType(b, dtype)
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, label)
        if quantization is not None:
            tflite.TensorAddQuantization(b, quantization)
        self.tensors.append(tflite.TensorEnd(b))
        return len(self.tensors) - 1

    def _buffer(self, data: bytes) -> int:
        b = self.b
        content = b.CreateNumpyVector(np.frombuffer(data, np.uint8)) if data else None
        tflite.BufferStart(b)
        if content is not None:
            tflite.BufferAddData(b, content)
        self.buffers.append(tflite.BufferEnd(b))
        return len(self.buffers) - 1

    def _ints(self, start, values: list[int]) -> int:
        start(self.b, len(values))
        for value in reversed(values):
            self.b.PrependInt32(int(value))
        return self.b.EndVector()

    def _offsets(self, start, offsets: list[int]) -> int:
        start(self.b, len(offsets))
        for offset in reversed(offsets):
            self.b.PrependUOffsetTRelative(offset)
        return self.b.EndVector()


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The padding of TFLite's SAME."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
