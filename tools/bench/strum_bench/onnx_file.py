"""Writes a network as a quantized ONNX model, in the form that ONNX Runtime executes fastest.

Activations are uint8 (code + 128), weights int8 with a scale for each channel, in the operators that ONNX Runtime's own
quantizer emits as QOperator: `QLinearConv` of the standard, `QLinearAdd` and its like of the domain `com.microsoft`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .graph import Layer, Net, Tensor

MICROSOFT = "com.microsoft"
OPSET, IR_VERSION = 17, 8


def write_onnx(net: Net, path: Path) -> None:
    """Writes `net`; input and output are uint8 and NCHW."""
    writer = _Writer()
    for layer in net.layers:
        getattr(writer, layer.kind)(layer)
    graph = helper.make_graph(
        writer.nodes, net.name, [_info(net.input)], [_info(net.output)], initializer=writer.initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def conv(self, layer: Layer) -> None:
        self._convolution(layer, np.transpose(layer.weights, (0, 3, 1, 2)), groups=1)

    def depthwise(self, layer: Layer) -> None:
        # HWCM with M = 1 to C1HW.
        self._convolution(layer, np.transpose(layer.weights, (2, 3, 0, 1)), groups=layer.inputs[0].shape[3])

    def _convolution(self, layer: Layer, weights: np.ndarray, groups: int) -> None:
        (x,), y = layer.inputs, layer.output
        zeros = np.zeros(len(layer.weight_scale), np.int8)
        inputs = [
            *self._activation(x),
            self._constant(f"{layer.name}_w", np.ascontiguousarray(weights)),
            self._constant(f"{layer.name}_ws", layer.weight_scale.astype(np.float32)),
            self._constant(f"{layer.name}_wz", zeros),
            *self._quantization(y),
            self._constant(f"{layer.name}_b", layer.bias),
        ]
        self._node("QLinearConv", inputs, y, group=groups, kernel_shape=layer.kernel, pads=_pads(layer),
                   strides=(layer.stride,) * 2)

    def max_pool(self, layer: Layer) -> None:
        (x,) = layer.inputs
        self._node("MaxPool", [_name(x)], layer.output, kernel_shape=layer.kernel, pads=_pads(layer),
                   strides=(layer.stride,) * 2)

    def avg_pool(self, layer: Layer) -> None:
        inputs = [*self._activation(layer.inputs[0]), *self._quantization(layer.output)]
        self._node("QLinearGlobalAveragePool", inputs, layer.output, domain=MICROSOFT, channels_last=0)

    def add(self, layer: Layer) -> None:
        a, b = layer.inputs
        inputs = [*self._activation(a), *self._activation(b), *self._quantization(layer.output)]
        self._node("QLinearAdd", inputs, layer.output, domain=MICROSOFT)

    def concat(self, layer: Layer) -> None:
        parts = [value for x in layer.inputs for value in self._activation(x)]
        self._node("QLinearConcat", [*self._quantization(layer.output), *parts], layer.output, domain=MICROSOFT, axis=1)

    def reshape(self, layer: Layer) -> None:
        shape = np.array(_nchw(layer.output), np.int64)
        self._node("Reshape", [_name(layer.inputs[0]), self._constant(f"{layer.name}_shape", shape)], layer.output)

    def _activation(self, x: Tensor) -> list[str]:
        return [_name(x), *self._quantization(x)]

    def _quantization(self, x: Tensor) -> list[str]:
        scale = self._constant(f"{_name(x)}_scale", np.array(x.scale, np.float32))
        zero_point = self._constant(f"{_name(x)}_zp", np.array(x.zero_point + 128, np.uint8))
        return [scale, zero_point]

    def _constant(self, name: str, value: np.ndarray) -> str:
        if all(known.name != name for known in self.initializers):
            self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def _node(self, op: str, inputs: list[str], output: Tensor, **attributes) -> None:
        self.nodes.append(helper.make_node(op, inputs, [_name(output)], **attributes))


def _name(x: Tensor) -> str:
    return f"t{x.id}"


def _nchw(x: Tensor) -> tuple[int, ...]:
    n, h, w, c = x.shape
    return n, c, h, w


def _info(x: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(_name(x), TensorProto.UINT8, _nchw(x))


def _pads(layer: Layer) -> tuple[int, ...]:
    """ONNX drops incomplete windows, so rows that no window covers need no negative padding."""
    top, bottom, left, right = (max(p, 0) for p in layer.pad)
    return top, left, bottom, right
