"""Networks of one operator on codes of 8 bits, made at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

INT8, INT32, FLOAT32 = 9, 2, 0
Random = np.random.Generator
Options = tuple[str, Any]


class Net:
    """Builds a model with one subgraph."""

    def __init__(self, random: Random) -> None:
        """An empty network."""
        self.random = random
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        scales: Sequence[float] | None = None,
        zero_point: int | None = None,
        data: NDArray[Any] | None = None,
        kind: int = INT8,
        axis: int = 0,
    ) -> int:
        """Adds a tensor; codes have a random meaning unless one is given."""
        tensor = schema.TensorT()
        tensor.name = f"tensor_{len(self.graph.tensors)}".encode()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, 0
        if kind == INT8 or scales is not None:
            codes = schema.QuantizationParametersT()
            codes.scale = list(scales) if scales is not None else [float(np.float32(self.random.uniform(0.002, 0.1)))]
            zero = int(self.random.integers(-128, 128)) if zero_point is None else zero_point
            codes.zeroPoint = [zero] * len(codes.scale)
            codes.quantizedDimension = axis
            tensor.quantization = codes
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, shape: Sequence[int]) -> int:
        """Adds an input of codes."""
        index = self.tensor(shape)
        self.graph.inputs.append(index)
        return index

    def like(self, index: int, shape: Sequence[int]) -> int:
        """Adds a tensor whose codes mean the same as another's."""
        codes = self.graph.tensors[index].quantization
        return self.tensor(shape, codes.scale, codes.zeroPoint[0])

    def ints(self, values: Any) -> int:
        """Adds a constant of integers."""
        data = np.asarray(values, np.int32)
        return self.tensor(data.shape, data=data, kind=INT32)

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Options | None = None) -> None:
        """Adds an operator."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            kind, fields = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, kind + "T")()
            for field, value in fields.items():
                setattr(operator.builtinOptions, field, value)
        self.graph.operators.append(operator)

    def save(self, file: Path, outputs: Sequence[int]) -> None:
        """Writes the model."""
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        file.write_bytes(bytes(builder.Output()))


def _size(image: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    span = (kernel - 1) * dilation + 1
    return -(-image // stride) if padding == 0 else (image - span) // stride + 1


def _scale(net: Net, index: int) -> float:
    return float(net.graph.tensors[index].quantization.scale[0])


def _weights(net: Net, shape: Sequence[int], channels: int, axis: int, per_channel: bool) -> int:
    scales = net.random.uniform(0.001, 0.02, channels if per_channel else 1).astype(np.float32)
    data = net.random.integers(-127, 128, shape).astype(np.int8)
    return net.tensor(shape, [float(s) for s in scales], 0, data, axis=axis)


def _bias(net: Net, x: int, w: int, channels: int) -> int:
    scales = [float(np.float32(_scale(net, x)) * np.float32(s)) for s in net.graph.tensors[w].quantization.scale]
    data = net.random.integers(-3000, 3000, channels).astype(np.int32)
    return net.tensor([channels], scales, 0, data, kind=INT32)


def convolution(net: Net, depthwise: bool) -> list[int]:
    """A convolution with any window, padding and activation, by tensor or by channel."""
    random = net.random
    h, w, c = (int(d) for d in random.integers(3, 12, 3))
    kernel = [int(k) for k in random.integers(1, 4, 2)]
    padding, stride, dilation = int(random.integers(2)), int(random.integers(1, 4)), 1
    if random.integers(3) == 0:
        stride, dilation = 1, 2
    if padding == 1:
        h, w = h + 6, w + 6
    x = net.input([1, h, w, c])
    multiplier = int(random.integers(1, 3))
    outputs = c * multiplier if depthwise else int(random.integers(1, 9))
    shape = [1, *kernel, outputs] if depthwise else [outputs, *kernel, c]
    weights = _weights(net, shape, outputs, 3 if depthwise else 0, bool(random.integers(2)) or depthwise)
    size = [_size(d, k, stride, dilation, padding) for d, k in zip((h, w), kernel)]
    y = net.tensor([1, *size, outputs], [float(np.float32(random.uniform(0.02, 0.5)))])
    fields = {"padding": padding, "strideH": stride, "strideW": stride, "dilationHFactor": dilation}
    fields |= {"dilationWFactor": dilation, "fusedActivationFunction": int(random.choice([0, 1, 3]))}
    if depthwise:
        fields["depthMultiplier"] = multiplier
    options = ("DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", fields)
    operands = [x, weights, _bias(net, x, weights, outputs)]
    net.operator("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", operands, [y], options)
    return [y]


def fully_connected(net: Net) -> list[int]:
    """A fully connected layer, by tensor or by channel."""
    inputs, outputs = (int(d) for d in net.random.integers(1, 40, 2))
    x = net.input([2, inputs])
    weights = _weights(net, [outputs, inputs], outputs, 0, bool(net.random.integers(2)))
    y = net.tensor([2, outputs], [float(np.float32(net.random.uniform(0.02, 0.5)))])
    net.operator("FULLY_CONNECTED", [x, weights, _bias(net, x, weights, outputs)], [y], ("FullyConnectedOptions", {}))
    return [y]


def binary(net: Net, name: str, options: str) -> list[int]:
    """An operator of two operands, of which one may be broadcast."""
    x = net.input([1, 4, 5, 6])
    other = net.input([1, 4, 5, 6] if net.random.integers(2) else [1, 1, 1, 6])
    if name in ("MAXIMUM", "MINIMUM"):
        net.graph.tensors[other].quantization = net.graph.tensors[x].quantization
        y = net.like(x, [1, 4, 5, 6])
    else:
        y = net.tensor([1, 4, 5, 6])
    plain = name in ("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")
    if name == "SQUARED_DIFFERENCE":
        net.graph.tensors[y].quantization.scale = [float(np.float32(net.random.uniform(0.02, 0.5)))]
    fields = {} if plain else {"fusedActivationFunction": int(net.random.choice([0, 0, 1, 3]))}
    net.operator(name, [x, other], [y], (options, fields))
    return [y]


def unary(net: Net, name: str, codes: tuple[float, int] | None = None, options: Options | None = None) -> list[int]:
    """A function of one operand."""
    x = net.input([1, 16, 16, 1])
    y = net.tensor([1, 16, 16, 1], None if codes is None else [codes[0]], None if codes is None else codes[1])
    if name == "RELU6":
        net.graph.tensors[x].quantization.scale = [float(np.float32(0.0471))]
        net.graph.tensors[x].quantization.zeroPoint = [-60]
        net.graph.tensors[y].quantization = net.graph.tensors[x].quantization
    if name == "RSQRT":
        net.graph.tensors[x].quantization.zeroPoint = [-128]
    if name == "HARD_SWISH":
        net.graph.tensors[y].quantization.scale = [float(np.float32(_scale(net, x) * net.random.uniform(0.5, 2)))]
    net.operator(name, [x], [y], options)
    return [y]


def tables(net: Net, name: str, options: Options | None = None) -> list[int]:
    """A function of one code with 67 meanings of operand and result; three networks have 201."""
    x = net.tensor([1, 256], [1.0], 0)
    net.graph.inputs.append(x)
    results = []
    for _ in range(67):
        shape, zero = net.ints([1, 256, 1]), -128 if name in ("SQRT", "RSQRT") else None
        operand = net.tensor([1, 256, 1], None, 0 if name == "NEG" else zero)
        # Only the codes are moved.
        net.operator("RESHAPE", [x, shape], [operand])
        result = net.like(operand, [1, 256, 1]) if name == "NEG" else net.tensor([1, 256, 1])
        operands = [operand]
        if name == "EXP":
            # Results beyond 32 bits are not defined.
            net.graph.tensors[operand].quantization.scale = [float(np.float32(net.random.uniform(0.002, 0.05)))]
        if name == "DIV":
            operands.append(_divisor(net, operand, result))
        net.operator(name, operands, [result], options)
        results.append(result)
    return results


def _divisor(net: Net, dividend: int, quotient: int) -> int:
    """A constant by which the kernel is defined: a step of the dividend is at least one of the quotient."""
    random = net.random
    zero, steps = int(random.integers(-60, 60)), int(random.integers(1, 60)) * int(random.choice([-1, 1]))
    scale = float(np.float32(random.uniform(0.002, 0.1)))
    step = _scale(net, dividend) / (scale * abs(steps) * random.uniform(1.05, 4))
    net.graph.tensors[quotient].quantization.scale = [float(np.float32(step))]
    return net.tensor([1], [scale], zero, np.array([zero + steps], np.int8))


def softmax(net: Net) -> list[int]:
    """A softmax of a few or of many codes."""
    shape = [3, int(net.random.choice([2, 5, 10, 100, 1000]))]
    x, y = net.input(shape), net.tensor(shape, [1 / 256], -128)
    net.operator("SOFTMAX", [x], [y], ("SoftmaxOptions", {"beta": float(net.random.choice([1.0, 0.5]))}))
    return [y]


def pool(net: Net, name: str) -> list[int]:
    """A pooling."""
    h, w = (int(d) for d in net.random.integers(4, 12, 2))
    x = net.input([1, h, w, 3])
    kernel, stride, padding = int(net.random.integers(1, 4)), int(net.random.integers(1, 4)), int(net.random.integers(2))
    y = net.like(x, [1, _size(h, kernel, stride, 1, padding), _size(w, kernel, stride, 1, padding), 3])
    fields = {"padding": padding, "strideH": stride, "strideW": stride, "filterHeight": kernel, "filterWidth": kernel}
    fields["fusedActivationFunction"] = int(net.random.choice([0, 1]))
    net.operator(name, [x], [y], ("Pool2DOptions", fields))
    return [y]


def reduction(net: Net, name: str) -> list[int]:
    """A reduction along rows and columns, or along channels."""
    x = net.input([1, 7, 5, 6])
    axes = [1, 2] if net.random.integers(2) else [3]
    keep = bool(net.random.integers(2))
    shape = [1 if i in axes else d for i, d in enumerate([1, 7, 5, 6])]
    shape = shape if keep else [d for i, d in enumerate(shape) if i not in axes]
    y = net.like(x, shape) if name.startswith("REDUCE") else net.tensor(shape)
    net.operator(name, [x, net.ints(axes)], [y], ("ReducerOptions", {"keepDims": keep}))
    return [y]


def prelu(net: Net) -> list[int]:
    """A PReLU with a slope for each channel."""
    x, y = net.input([1, 6, 6, 8]), net.tensor([1, 6, 6, 8])
    alpha = net.tensor([1, 1, 8], data=net.random.integers(-128, 128, [1, 1, 8]).astype(np.int8))
    net.operator("PRELU", [x, alpha], [y])
    return [y]


def quantize(net: Net) -> list[int]:
    """Codes of one meaning as another."""
    x, y = net.input([1, 16, 16, 1]), net.tensor([1, 16, 16, 1])
    net.operator("QUANTIZE", [x], [y])
    return [y]


def movement(net: Net, name: str) -> list[int]:
    """Operators that move elements."""
    x = net.input([1, 6, 8, 4])
    cases: dict[str, tuple[list[int], list[int], Options | None]] = {
        "PAD": ([1, 9, 11, 4], [net.ints([[0, 0], [1, 2], [3, 0], [0, 0]])], None),
        "MIRROR_PAD": ([1, 9, 11, 4], [net.ints([[0, 0], [1, 2], [3, 0], [0, 0]])], ("MirrorPadOptions", {"mode": 0})),
        "TRANSPOSE": ([1, 4, 6, 8], [net.ints([0, 3, 1, 2])], None),
        "STRIDED_SLICE": (
            [1, 3, 3, 4],
            [net.ints([0, 1, 0, 0]), net.ints([1, 6, 7, 4]), net.ints([1, 2, 3, 1])],
            ("StridedSliceOptions", {}),
        ),
        "DEPTH_TO_SPACE": ([1, 12, 16, 1], [], ("DepthToSpaceOptions", {"blockSize": 2})),
        "SPACE_TO_DEPTH": ([1, 3, 4, 16], [], ("SpaceToDepthOptions", {"blockSize": 2})),
        # The reference pads with a value that it never sets.
        "SPACE_TO_BATCH_ND": ([4, 3, 4, 4], [net.ints([2, 2]), net.ints([[0, 0], [0, 0]])], None),
        "GATHER": ([1, 6, 3, 4], [net.ints([5, 0, 2])], ("GatherOptions", {"axis": 2})),
        "RESIZE_NEAREST_NEIGHBOR": ([1, 12, 16, 4], [net.ints([12, 16])], ("ResizeNearestNeighborOptions", {})),
        "RESIZE_BILINEAR": ([1, 12, 17, 4], [net.ints([12, 17])], ("ResizeBilinearOptions", {"halfPixelCenters": True})),
    }
    shape, operands, options = cases[name]
    y = net.like(x, shape)
    net.operator(name, [x, *operands], [y], options)
    return [y]


def dilated(net: Net) -> list[int]:
    """A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""
    x = net.input([1, 14, 16, 3])
    spread = net.like(x, [4, 7, 8, 3])
    net.operator("SPACE_TO_BATCH_ND", [x, net.ints([2, 2]), net.ints([[0, 0], [0, 0]])], [spread])
    weights = _weights(net, [5, 3, 3, 3], 5, 0, True)
    made = net.tensor([4, 5, 6, 5], [0.1])
    fields = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": 1}
    net.operator("CONV_2D", [spread, weights, _bias(net, x, weights, 5)], [made], ("Conv2DOptions", fields))
    y = net.like(made, [1, 9, 11, 5])
    net.operator("BATCH_TO_SPACE_ND", [made, net.ints([2, 2]), net.ints([[0, 1], [0, 1]])], [y])
    return [y]


def transposed(net: Net) -> list[int]:
    """A transposed convolution."""
    padding, stride = int(net.random.integers(2)), int(net.random.integers(1, 3))
    x = net.input([1, 5, 6, 3])
    size = [5 * stride, 6 * stride] if padding == 0 else [4 * stride + 3, 5 * stride + 3]
    weights = _weights(net, [4, 3, 3, 3], 4, 0, True)
    y = net.tensor([1, *size, 4], [0.1])
    options = ("TransposeConvOptions", {"padding": padding, "strideH": stride, "strideW": stride})
    operands = [net.ints([1, *size, 4]), weights, x, _bias(net, x, weights, 4)]
    net.operator("TRANSPOSE_CONV", operands, [y], options)
    return [y]


def batch_matmul(net: Net) -> list[int]:
    """A product of two tensors that are computed."""
    a, b = net.input([2, 4, 6]), net.input([2, 6, 5])
    y = net.tensor([2, 4, 5], [float(np.float32(net.random.uniform(0.02, 0.5)))])
    net.operator("BATCH_MATMUL", [a, b], [y], ("BatchMatMulOptions", {}))
    return [y]


def concatenation(net: Net) -> list[int]:
    """Two tensors, one behind the other."""
    a = net.input([1, 4, 4, 3])
    b = net.like(a, [1, 4, 4, 5])
    net.graph.inputs.append(b)
    y = net.like(a, [1, 4, 4, 8])
    net.operator("CONCATENATION", [a, b], [y], ("ConcatenationOptions", {"axis": 3}))
    return [y]


def split(net: Net) -> list[int]:
    """A tensor in equal parts."""
    x = net.input([1, 4, 6])
    parts = [net.like(x, [1, 4, 2]) for _ in range(3)]
    net.operator("SPLIT", [net.ints(2), x], parts, ("SplitOptions", {"numSplits": 3}))
    return parts


CASES: dict[str, Callable[[Net], list[int]]] = {
    "conv_2d": lambda net: convolution(net, False),
    "depthwise_conv_2d": lambda net: convolution(net, True),
    "fully_connected": fully_connected,
    "add": lambda net: binary(net, "ADD", "AddOptions"),
    "sub": lambda net: binary(net, "SUB", "SubOptions"),
    "mul": lambda net: binary(net, "MUL", "MulOptions"),
    "maximum": lambda net: binary(net, "MAXIMUM", "MaximumMinimumOptions"),
    "minimum": lambda net: binary(net, "MINIMUM", "MaximumMinimumOptions"),
    "logistic": lambda net: unary(net, "LOGISTIC", (1 / 256, -128)),
    "tanh": lambda net: unary(net, "TANH", (1 / 128, 0)),
    "hard_swish": lambda net: unary(net, "HARD_SWISH"),
    "leaky_relu": lambda net: unary(net, "LEAKY_RELU", None, ("LeakyReluOptions", {"alpha": 0.17})),
    "elu": lambda net: unary(net, "ELU"),
    "relu": lambda net: unary(net, "RELU"),
    "relu6": lambda net: unary(net, "RELU6"),
    "rsqrt": lambda net: unary(net, "RSQRT"),
    "abs": lambda net: unary(net, "ABS"),
    "tables_log": lambda net: tables(net, "LOG"),
    "tables_sqrt": lambda net: tables(net, "SQRT"),
    "tables_neg": lambda net: tables(net, "NEG"),
    "tables_exp": lambda net: tables(net, "EXP"),
    "tables_div": lambda net: tables(net, "DIV", ("DivOptions", {})),
    "tables_gelu": lambda net: tables(net, "GELU", ("GeluOptions", {"approximate": False})),
    "tables_gelu_tanh": lambda net: tables(net, "GELU", ("GeluOptions", {"approximate": True})),
    "tables_elu": lambda net: tables(net, "ELU"),
    "tables_abs": lambda net: tables(net, "ABS"),
    "squared_difference": lambda net: binary(net, "SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
    "prelu": prelu,
    "quantize": quantize,
    "softmax": softmax,
    "average_pool_2d": lambda net: pool(net, "AVERAGE_POOL_2D"),
    "max_pool_2d": lambda net: pool(net, "MAX_POOL_2D"),
    "mean": lambda net: reduction(net, "MEAN"),
    "sum": lambda net: reduction(net, "SUM"),
    "reduce_max": lambda net: reduction(net, "REDUCE_MAX"),
    "concatenation": concatenation,
    "split": split,
    "dilated": dilated,
    "transpose_conv": transposed,
    "batch_matmul": batch_matmul,
    **{
        name.lower(): (lambda name: lambda net: movement(net, name))(name)
        for name in (
            "PAD",
            "MIRROR_PAD",
            "TRANSPOSE",
            "STRIDED_SLICE",
            "DEPTH_TO_SPACE",
            "SPACE_TO_DEPTH",
            "SPACE_TO_BATCH_ND",
            "GATHER",
            "RESIZE_NEAREST_NEIGHBOR",
            "RESIZE_BILINEAR",
        )
    },
}


def write(folder: Path, seed: int) -> list[Path]:
    """Writes three networks of every operator."""
    files = []
    for number, (name, case) in enumerate(CASES.items()):
        for variant in range(3):
            net = Net(np.random.default_rng([seed, number, variant]))
            outputs = case(net)
            file = folder / f"{name}_{variant}.tflite"
            net.save(file, outputs)
            files.append(file)
    return files
