"""What is compared: a network, its inputs, and what its outputs should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

Array: TypeAlias = npt.NDArray[Any]


@dataclass
class Case:
    """A network with inputs and expected outputs.

    Outputs of a quantized network are real numbers, and may be `codes` steps of their scale away.
    """

    name: str
    model: onnx.ModelProto
    inputs: list[Array]
    expected: list[Array]
    codes: int | None = None
    shapes: list[str] = field(default_factory=list)
    tolerance: float = 1e-5


def runtime(model: onnx.ModelProto, inputs: dict[str, Array], plain: bool = True) -> list[Array]:
    """The outputs by ONNX Runtime; `plain` computes every operator by itself, without fusing."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, inputs)]


def input_names(model: onnx.ModelProto) -> list[str]:
    """The names of the inputs that are not constants as well."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in constants]
