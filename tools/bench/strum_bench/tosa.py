"""Writes a network as integer TOSA in MLIR's text form (LLVM 22), weights as dense resources."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TextIO

import numpy as np

from .graph import Layer, Net, Tensor

# Fraction bits of the sum of two activations, as in TFLite.
ADD_BITS = 20


def multiplier_and_shift(scale: float) -> tuple[int, int]:
    """`scale` as multiplier · 2^-shift with a multiplier of 31 bits, for `tosa.rescale`."""
    mantissa, exponent = math.frexp(scale)
    multiplier = round(mantissa * 2**31)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    shift = 31 - exponent
    if not 2 <= shift <= 62:
        raise ValueError(f"scale {scale} needs a shift of {shift}, outside 2..62")
    return multiplier, shift


def write_tosa(net: Net, out: TextIO) -> None:
    """Writes `net` as a module with one function `main`."""
    _Writer(net).write(out)


class _Writer:
    def __init__(self, net: Net) -> None:
        self.net = net
        self.lines: list[str] = []
        self.resources: list[tuple[str, bytes, int]] = []
        self.constants: dict[tuple[str, str], str] = {}
        self.count = 0

    def write(self, out: TextIO) -> None:
        net = self.net
        for layer in net.layers:
            getattr(self, layer.kind)(layer)
        out.write("module {\n")
        out.write(f"  func.func @main(%t0: {_type(net.input)}) -> {_type(net.output)} {{\n")
        for line in self.lines:
            out.write(f"    {line}\n")
        out.write(f"    return %t{net.output.id} : {_type(net.output)}\n  }}\n}}\n")
        if self.resources:
            out.write('{-#\n  dialect_resources: {\n    builtin: {\n')
            for i, (name, data, align) in enumerate(self.resources):
                comma = "," if i + 1 < len(self.resources) else ""
                out.write(f'      {name}: "0x{align.to_bytes(4, "little").hex()}{data.hex()}"{comma}\n')
            out.write("    }\n  }\n#-}\n")

    # Operators.

    def conv(self, layer: Layer) -> None:
        self._convolution(layer, "tosa.conv2d")

    def depthwise(self, layer: Layer) -> None:
        self._convolution(layer, "tosa.depthwise_conv2d")

    def _convolution(self, layer: Layer, op: str) -> None:
        y = layer.output
        x, source, pad = self._whole_windows(layer)
        weights = self._resource(f"{layer.name}_weights", layer.weights)
        bias = self._resource(f"{layer.name}_bias", layer.bias)
        sums = f"tensor<{_dims(y.shape)}xi32>"
        acc = self._op(
            f"{op} {source}, {weights[0]}, {bias[0]}, {self._int('i8', x.zero_point)}, {self._int('i8', 0)} "
            f"{{acc_type = i32, {_array('dilation', (1, 1))}, {_array('pad', pad)}, "
            f"{_array('stride', (layer.stride,) * 2)}}} : ({_type(x)}, {weights[1]}, {bias[1]}, tensor<1xi8>, "
            f"tensor<1xi8>) -> {sums}")
        scales = [multiplier_and_shift(float(s) * x.scale / y.scale) for s in layer.weight_scale]
        multiplier = self._resource(f"{layer.name}_multiplier", np.array([m for m, _ in scales], np.int32))
        shift = self._resource(f"{layer.name}_shift", np.array([s for _, s in scales], np.int8))
        self._rescale(acc, sums, 0, "i32", f"%t{y.id}", _type(y), y.zero_point, "i8", multiplier, shift)

    def max_pool(self, layer: Layer) -> None:
        y = layer.output
        x, source, pad = self._whole_windows(layer)
        self.lines.append(
            f"%t{y.id} = tosa.max_pool2d {source} {{{_array('kernel', layer.kernel)}, {_array('pad', pad)}, "
            f"{_array('stride', (layer.stride,) * 2)}}} : ({_type(x)}) -> {_type(y)}")

    def avg_pool(self, layer: Layer) -> None:
        (x,), y = layer.inputs, layer.output
        zero = self._int("i8", x.zero_point)
        self.lines.append(
            f"%t{y.id} = tosa.avg_pool2d %t{x.id}, {zero}, {zero} {{acc_type = i32, {_array('kernel', layer.kernel)}, "
            f"{_array('pad', (0, 0, 0, 0))}, {_array('stride', (1, 1))}}} : ({_type(x)}, tensor<1xi8>, tensor<1xi8>) "
            f"-> {_type(y)}")

    def add(self, layer: Layer) -> None:
        y = layer.output
        wide = f"tensor<{_dims(y.shape)}xi32>"
        step = 2 * max(x.scale for x in layer.inputs)
        terms = [
            self._scaled(f"%t{x.id}", _type(x), x.zero_point, "i8", None, wide, 0, "i32",
                         x.scale / step * 2**ADD_BITS)
            for x in layer.inputs
        ]
        total = self._op(f"tosa.add {terms[0]}, {terms[1]} : ({wide}, {wide}) -> {wide}")
        self._scaled(total, wide, 0, "i32", f"%t{y.id}", _type(y), y.zero_point, "i8", step / 2**ADD_BITS / y.scale)

    def concat(self, layer: Layer) -> None:
        y = layer.output
        names = ", ".join(f"%t{x.id}" for x in layer.inputs)
        types = ", ".join(_type(x) for x in layer.inputs)
        self.lines.append(f"%t{y.id} = tosa.concat {names} {{axis = 3 : i32}} : ({types}) -> {_type(y)}")

    def reshape(self, layer: Layer) -> None:
        (x,), y = layer.inputs, layer.output
        shape = self._shape(y.shape)
        self.lines.append(
            f"%t{y.id} = tosa.reshape %t{x.id}, {shape} : ({_type(x)}, !tosa.shape<{len(y.shape)}>) -> {_type(y)}")

    # Parts.

    def _whole_windows(self, layer: Layer) -> tuple[Tensor, str, tuple[int, ...]]:
        """The operand of a sliding window, its name and padding; rows and columns that no window covers are sliced off."""
        (x,) = layer.inputs
        top, bottom, left, right = layer.pad
        n, h, w, c = x.shape
        kept = replace(x, shape=(n, h + min(bottom, 0), w + min(right, 0), c))
        pad = (top, max(bottom, 0), left, max(right, 0))
        if kept.shape == x.shape:
            return x, f"%t{x.id}", pad
        start, size = self._shape((0, 0, 0, 0)), self._shape(kept.shape)
        name = self._op(
            f"tosa.slice %t{x.id}, {start}, {size} : ({_type(x)}, !tosa.shape<4>, !tosa.shape<4>) -> {_type(kept)}")
        return kept, name, pad

    def _shape(self, extents: tuple[int, ...]) -> str:
        rank = len(extents)
        return self._op(
            f"tosa.const_shape {{values = dense<{list(extents)}> : tensor<{rank}xindex>}} : () -> !tosa.shape<{rank}>")

    def _scaled(self, x, x_type, x_zp, x_int, y, y_type, y_zp, y_int, scale: float) -> str:
        m, s = multiplier_and_shift(scale)
        multiplier = (self._int("i32", m), "tensor<1xi32>")
        shift = (self._int("i8", s), "tensor<1xi8>")
        y = y or self._name()
        self._rescale(x, x_type, x_zp, x_int, y, y_type, y_zp, y_int, multiplier, shift)
        return y

    def _rescale(self, x, x_type, x_zp, x_int, y, y_type, y_zp, y_int, multiplier, shift) -> None:
        per_channel = "true" if multiplier[1] != "tensor<1xi32>" else "false"
        self.lines.append(
            f"{y} = tosa.rescale {x}, {multiplier[0]}, {shift[0]}, {self._int(x_int, x_zp)}, {self._int(y_int, y_zp)} "
            f"{{input_unsigned = false, output_unsigned = false, per_channel = {per_channel}, "
            f"rounding_mode = SINGLE_ROUND, scale32 = true}} : ({x_type}, {multiplier[1]}, {shift[1]}, "
            f"tensor<1x{x_int}>, tensor<1x{y_int}>) -> {y_type}")

    def _name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def _op(self, text: str) -> str:
        name = self._name()
        self.lines.append(f"{name} = {text}")
        return name

    def _int(self, dtype: str, value: int) -> str:
        key = (dtype, str(value))
        if key not in self.constants:
            ty = f"tensor<1x{dtype}>"
            self.constants[key] = self._op(f'"tosa.const"() <{{values = dense<{value}> : {ty}}}> : () -> {ty}')
        return self.constants[key]

    def _resource(self, name: str, array: np.ndarray) -> tuple[str, str]:
        ty = f"tensor<{_dims(array.shape)}xi{8 * array.dtype.itemsize}>"
        self.resources.append((name, np.ascontiguousarray(array).tobytes(), array.dtype.itemsize))
        return self._op(f'"tosa.const"() <{{values = dense_resource<{name}> : {ty}}}> : () -> {ty}'), ty


def _dims(shape) -> str:
    return "x".join(map(str, shape))


def _type(x: Tensor) -> str:
    return f"tensor<{_dims(x.shape)}xi8>"


def _array(name: str, values) -> str:
    return f"{name} = array<i64: {', '.join(map(str, values))}>"
