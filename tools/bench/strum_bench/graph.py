"""Quantized networks as plain lists of layers, from which every file format is written.

Activations are NHWC int8, weights OHWI int8, biases int32. Weights are random with a fixed seed: the networks have
the shapes of the published ones and do their work, but they recognise nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """An activation: its index, shape (NHWC or NC), zero point, and the scale of one step."""

    id: int
    shape: tuple[int, ...]
    zero_point: int
    scale: float


@dataclass(frozen=True)
class Layer:
    """One operator. `kind` is one of conv, depthwise, max_pool, avg_pool, add, concat, reshape."""

    kind: str
    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    # Top, bottom, left, right; negative where no window covers the last rows or columns.
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    # OHWI for conv, HWCM with M = 1 for depthwise; the scale has one value for each output channel.
    weights: np.ndarray | None = None
    weight_scale: np.ndarray | None = None
    bias: np.ndarray | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padding included."""
        if self.weights is None:
            return 0
        _, h, w, c = self.output.shape
        depth = 1 if self.kind == "depthwise" else self.inputs[0].shape[3]
        return h * w * c * self.kernel[0] * self.kernel[1] * depth


# Zero points: after a ReLU the smallest code means 0; elsewhere the range is not symmetric.
RELU, LINEAR = -128, 3
# Standard deviations of the random values, in quantization steps.
WEIGHT_STEPS, ACTIVATION_STEPS = 30.0, 40.0


@dataclass
class Net:
    """A network under construction. Each method appends a layer and returns its output."""

    name: str
    input_shape: tuple[int, int, int, int]
    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.input = Tensor(0, self.input_shape, -1, 1 / 64)
        self.output = self.input
        self._count = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the network."""
        return sum(layer.macs for layer in self.layers)

    def _append(self, kind: str, inputs: tuple[Tensor, ...], shape, zero_point: int, scale: float, **rest) -> Tensor:
        self._count += 1
        output = Tensor(self._count, tuple(shape), zero_point, scale)
        self.layers.append(Layer(kind, f"{kind}_{self._count}", inputs, output, **rest))
        self.output = output
        return output

    def conv(self, x: Tensor, channels: int, kernel: int = 1, stride: int = 1, pad: int | None = None,
             relu: bool = True, depthwise: bool = False) -> Tensor:
        """A convolution with bias; `pad` on all sides, by default so that stride 1 keeps the size."""
        _, h, w, c = x.shape
        pad = (kernel - 1) // 2 if pad is None else pad
        height, bottom = _windows(h, kernel, stride, pad)
        width, right = _windows(w, kernel, stride, pad)
        kind = "depthwise" if depthwise else "conv"
        shape = (kernel, kernel, c, 1) if depthwise else (channels, kernel, kernel, c)
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {self._count}".encode()))
        weights = np.clip(np.rint(rng.normal(0, WEIGHT_STEPS, shape)), -127, 127).astype(np.int8)
        fan_in = kernel * kernel * (1 if depthwise else c)
        scale = 1 / 64
        # Sums of `fan_in` products have about the standard deviation of an activation, varied by channel.
        gain = rng.uniform(0.7, 1.4, channels) / (WEIGHT_STEPS * fan_in**0.5)
        bias = np.rint(rng.normal(0, 0.3 * WEIGHT_STEPS * ACTIVATION_STEPS * fan_in**0.5, channels)).astype(np.int32)
        return self._append(kind, (x,), (1, height, width, channels), RELU if relu else LINEAR, scale,
                            kernel=(kernel, kernel), stride=stride, pad=(pad, bottom, pad, right),
                            weights=weights, weight_scale=gain * scale / x.scale, bias=bias)

    def depthwise(self, x: Tensor, kernel: int = 3, stride: int = 1, relu: bool = True) -> Tensor:
        """A depthwise convolution with channel multiplier 1."""
        return self.conv(x, x.shape[3], kernel, stride, relu=relu, depthwise=True)

    def max_pool(self, x: Tensor, kernel: int, stride: int, pad: int = 0) -> Tensor:
        """A maximum over windows; incomplete windows are dropped."""
        _, h, w, c = x.shape
        height, bottom = _windows(h, kernel, stride, pad)
        width, right = _windows(w, kernel, stride, pad)
        return self._append("max_pool", (x,), (1, height, width, c), x.zero_point, x.scale,
                            kernel=(kernel, kernel), stride=stride, pad=(pad, bottom, pad, right))

    def global_pool(self, x: Tensor) -> Tensor:
        """The mean over rows and columns."""
        _, h, w, c = x.shape
        return self._append("avg_pool", (x,), (1, 1, 1, c), x.zero_point, x.scale, kernel=(h, w))

    def add(self, a: Tensor, b: Tensor, relu: bool = False) -> Tensor:
        """The sum of two tensors of one shape."""
        return self._append("add", (a, b), a.shape, RELU if relu else LINEAR, 1.4 * max(a.scale, b.scale))

    def concat(self, *parts: Tensor) -> Tensor:
        """Tensors of one quantization, concatenated along the channels."""
        shape = (*parts[0].shape[:3], sum(p.shape[3] for p in parts))
        return self._append("concat", parts, shape, parts[0].zero_point, parts[0].scale)

    def flatten(self, x: Tensor) -> Tensor:
        """All elements as the channels of one pixel."""
        return self._append("reshape", (x,), (1, 1, 1, int(np.prod(x.shape))), x.zero_point, x.scale)


def _windows(size: int, kernel: int, stride: int, pad: int) -> tuple[int, int]:
    """The number of windows, and the end padding with which the last one ends at the border of the image.

    TOSA wants no rest; a negative padding stands for rows that no window reaches.
    """
    windows = (size + 2 * pad - kernel) // stride + 1
    behind = (windows - 1) * stride + kernel - size - pad
    return windows, behind
