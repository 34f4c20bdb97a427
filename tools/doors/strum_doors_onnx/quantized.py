"""Quantized networks: single operators on codes, and networks that ONNX Runtime quantizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .cases import Array, Case, input_names, runtime

IMAGE = [2, 4, 9, 8]
ROWS = [3, 20]
# Operator, shapes of operands, attributes, further constants, and which operands are constant weights.
OPERATORS: list[tuple[str, list[list[int]], dict[str, Any], list[Any], set[int]]] = [
    ("Conv", [IMAGE, [6, 4, 3, 3]], {"pads": [1, 1, 1, 1]}, [], {1}),
    ("Conv", [IMAGE, [6, 2, 3, 3]], {"pads": [1, 1, 0, 1], "group": 2, "strides": [2, 2]}, [], {1}),
    ("Conv", [IMAGE, [8, 1, 3, 3]], {"pads": [1, 1, 1, 1], "group": 4}, [], {1}),
    ("Conv", [[1, 4, 12], [6, 4, 3]], {"dilations": [2]}, [], {1}),
    ("ConvTranspose", [IMAGE, [4, 5, 3, 3]], {"strides": [2, 2], "pads": [1, 1, 1, 1]}, [], {1}),
    ("Gemm", [ROWS, [7, 20]], {"transB": 1}, [], {1}),
    ("MatMul", [[3, 5, 20], [20, 7]], {}, [], {1}),
    ("MatMul", [[3, 5, 20], [3, 20, 7]], {}, [], set()),
    *[(kind, [IMAGE, [1, 4, 1, 1]], {}, [], set()) for kind in ("Add", "Sub", "Mul", "Max", "Min")],
    *[(kind, [IMAGE, IMAGE], {}, [], set()) for kind in ("Add", "Mul")],
    ("Add", [IMAGE, [4, 1, 1]], {}, [], {1}),
    ("PRelu", [IMAGE, [4, 1, 1]], {}, [], {1}),
    ("Mul", [IMAGE], {}, [np.float32(0.37)], set()),
    ("Div", [IMAGE], {}, [np.float32(6)], set()),
    ("Clip", [IMAGE], {}, [np.float32(-0.5), np.float32(0.7)], set()),
    *[(kind, [IMAGE], {}, [], set()) for kind in ("Relu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "LeakyRelu")],
    *[(kind, [IMAGE], {}, [], set()) for kind in ("Elu", "Softplus", "Abs", "Neg", "Exp", "Selu", "Softsign")],
    ("AveragePool", [IMAGE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, [], set()),
    ("AveragePool", [IMAGE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, [], set()),
    ("AveragePool", [IMAGE], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, [], set()),
    ("MaxPool", [IMAGE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}, [], set()),
    ("GlobalAveragePool", [IMAGE], {}, [], set()),
    ("GlobalMaxPool", [IMAGE], {}, [], set()),
    ("ReduceMean", [IMAGE], {"axes": [1], "keepdims": 0}, [], set()),
    ("Softmax", [[3, 10]], {}, [], set()),
    ("Softmax", [IMAGE], {"axis": 1}, [], set()),
    ("Concat", [IMAGE, [2, 3, 9, 8]], {"axis": 1}, [], set()),
    ("Resize", [IMAGE], {"mode": "nearest"}, [None, np.array([1, 1, 2, 2], np.float32)], set()),
    ("Resize", [IMAGE], {"mode": "linear"}, [None, np.array([1, 1, 2, 2], np.float32)], set()),
    ("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]}, [], set()),
    ("Reshape", [IMAGE], {}, [np.array([2, -1])], set()),
    ("Pad", [IMAGE], {}, [np.array([0, 0, 1, 2, 0, 0, 1, 0])], set()),
    ("DepthToSpace", [IMAGE], {"blocksize": 2}, [], set()),
]


def operators(seed: int) -> Iterator[Case]:
    """Every operator on signed and on unsigned codes, with random scales."""
    rng = np.random.default_rng(seed)
    for index, (kind, shapes, attributes, more, constants) in enumerate(OPERATORS):
        for unsigned in (False, True):
            case = _operator(rng, kind, shapes, attributes, more, constants, unsigned)
            case.name = f"{kind} {index} of {'uint8' if unsigned else 'int8'}"
            yield case


def _operator(
    rng: np.random.Generator,
    kind: str,
    shapes: list[list[int]],
    attributes: dict[str, Any],
    more: list[Any],
    constants: set[int],
    unsigned: bool,
) -> Case:
    code: Any = np.uint8 if unsigned else np.int8
    low = 0 if unsigned else -128
    initializers: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    inputs: dict[str, Array] = {}
    operands: list[str] = []

    def constant(name: str, value: Any) -> str:
        initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    for index, shape in enumerate(shapes):
        scale, zero = np.float32(rng.uniform(0.01, 0.06)), code(rng.integers(low, low + 256))
        if index in constants:
            zero = np.int8(0)
            constant(f"q{index}", rng.integers(-127, 128, shape).astype(np.int8))
        else:
            codes = rng.integers(low, low + 256, shape)
            inputs[f"x{index}"] = ((codes - float(zero)) * scale).astype(np.float32)
            nodes.append(helper.make_node("QuantizeLinear", [f"x{index}", f"s{index}", f"z{index}"], [f"q{index}"]))
        constant(f"s{index}", scale)
        constant(f"z{index}", zero)
        nodes.append(helper.make_node("DequantizeLinear", [f"q{index}", f"s{index}", f"z{index}"], [f"d{index}"]))
        operands.append(f"d{index}")
    operands += ["" if value is None else constant(f"c{index}", value) for index, value in enumerate(more)]
    nodes.append(helper.make_node(kind, operands, ["y"], **attributes))
    result = runtime(_model(nodes, inputs, "y", initializers), inputs)[0]
    least, most = min(float(result.min()), 0.0), max(float(result.max()), 0.0)
    scale = np.float32((most - least) / 255 * rng.uniform(0.8, 1.1))
    constant("so", scale)
    constant("zo", code(np.clip(round(-least / float(scale)), 0, 255) + low))
    nodes.append(helper.make_node("QuantizeLinear", ["y", "so", "zo"], ["qo"]))
    nodes.append(helper.make_node("DequantizeLinear", ["qo", "so", "zo"], ["o"]))
    model = _model(nodes, inputs, "o", initializers)
    return Case(kind, model, list(inputs.values()), runtime(model, inputs), codes=1)


def _model(
    nodes: list[onnx.NodeProto], inputs: dict[str, Array], output: str, initializers: list[onnx.TensorProto]
) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name, x in inputs.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", values, [result], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def forms(path: Path, samples: Array, folder: Path) -> Iterator[tuple[str, onnx.ModelProto]]:
    """A float network as ONNX Runtime's quantizer writes it: QDQ and QOperator, signed and unsigned."""
    from onnxruntime import quantization as ort  # type: ignore[import-untyped]
    from onnxruntime.quantization import shape_inference  # type: ignore[import-untyped]

    class Samples(ort.CalibrationDataReader):  # type: ignore[misc]
        """One sample at a time."""

        def __init__(self, name: str) -> None:
            self.rest = iter(samples)
            self.name = name

        def get_next(self) -> dict[str, Array] | None:
            sample = next(self.rest, None)
            return None if sample is None else {self.name: sample[None]}

    prepared, quantized = folder / "prepared.onnx", folder / "quantized.onnx"
    shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    [name] = input_names(onnx.load(str(prepared)))
    for form in (ort.QuantFormat.QDQ, ort.QuantFormat.QOperator):
        for activation, weight, channels in (
            (ort.QuantType.QUInt8, ort.QuantType.QInt8, form is ort.QuantFormat.QDQ),
            (ort.QuantType.QInt8, ort.QuantType.QInt8, True),
        ):
            ort.quantize_static(
                str(prepared),
                str(quantized),
                Samples(name),
                quant_format=form,
                activation_type=activation,
                weight_type=weight,
                per_channel=channels,
            )
            yield f"{path.stem} {form.name} {activation.name[1:]}", onnx.load(str(quantized))


def network(name: str, model: onnx.ModelProto, samples: Array) -> Iterator[Case]:
    """A quantized network on some samples, by ONNX Runtime's fused kernels."""
    [key] = input_names(model)
    for index, sample in enumerate(samples):
        feed = {key: sample[None]}
        yield Case(f"{name}, sample {index}", model, [sample[None]], runtime(model, feed, plain=False), codes=1)


def layers(name: str, model: onnx.ModelProto, sample: Array) -> Iterator[Case]:
    """Every quantized operator by itself, on the codes that ONNX Runtime computes before it."""
    model = onnx.shape_inference.infer_shapes(model)
    makers = {output: node for node in model.graph.node for output in node.output}
    coded = [node.output[0] for node in model.graph.node if _is_coded(node)]
    types = {value.name: value for value in model.graph.value_info}
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    whole.graph.output.extend(types[output] for output in coded if output in types)
    names = [output.name for output in whole.graph.output]
    [key] = input_names(model)
    values = dict(zip(names, runtime(whole, {key: sample[None]})))
    for output in names:
        operands: list[str] = []
        _operands(output, makers, set(names), operands, first=True)
        if not operands or key in operands:
            continue
        extractor = onnx.utils.Extractor(model)
        part = extractor.extract_model(operands, [output])
        yield Case(f"{name}: {output}", part, [values[x] for x in operands], [values[output]], codes=1)


def _is_coded(node: onnx.NodeProto) -> bool:
    return node.op_type == "QuantizeLinear" or node.op_type.startswith("QLinear") or node.op_type == "QGemm"


def _operands(name: str, makers: dict[str, onnx.NodeProto], stops: set[str], found: list[str], first: bool) -> None:
    """The coded tensors that a tensor is computed from."""
    if name in stops and not first:
        if name not in found:
            found.append(name)
    elif name in makers:
        for operand in makers[name].input:
            _operands(operand, makers, stops, found, first=False)
