"""From PyTorch to MLIR."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch_mlir import fx

from .names import ARGUMENTS, TORCHVISION

LEVELS = {"linalg": "linalg-on-tensors", "tosa": "tosa"}


class Unusable(Exception):
    """What was asked for cannot be exported; the text says why."""


class Partial(Exception):
    """Some of the files could not be made. Holds those that were."""

    def __init__(self, written: list[Path], text: str) -> None:
        super().__init__(text)
        self.written = written


def network(name: str, state_dict: Path | None, size: int) -> torch.nn.Module:
    """A network of torchvision, or what MODULE:FUNCTION gives, in evaluation mode."""
    torch.manual_seed(0)
    if ":" in name:
        module, _, function = name.partition(":")
        try:
            made = getattr(importlib.import_module(module), function)()
        except (ImportError, AttributeError) as error:
            raise Unusable(str(error)) from error
        if not isinstance(made, torch.nn.Module):
            raise Unusable(f"{name}() gives {type(made).__name__}, and no torch.nn.Module")
    else:
        made = torchvision.models.get_model(name, weights=None, **ARGUMENTS.get(name, {}))
    if state_dict is not None:
        # weights_only: a file of weights cannot run code.
        made.load_state_dict(torch.load(state_dict, map_location="cpu", weights_only=True))
    elif name in TORCHVISION:
        settle(made, size)
    made.eval()
    freeze(made)
    return made


def settle(made: torch.nn.Module, size: int) -> None:
    """Gives batch normalizations the statistics of random images; with those of a new network, signals fade."""
    made.train()
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        made(torch.randn(4, 3, size, size))


def freeze(made: torch.nn.Module) -> None:
    """Makes buffers parameters: torch-mlir hands buffers over as arguments of the function."""
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # Counts for training alone.
            module.num_batches_tracked = None
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.dtype.is_floating_point:
                delattr(module, name)
                setattr(module, name, torch.nn.Parameter(buffer.clone(), requires_grad=False))


def export(made: torch.nn.Module, stem: Path, shape: tuple[int, ...], samples: int) -> list[Path]:
    """Writes both levels, inputs, and PyTorch's outputs for them; gives the files."""
    images = torch.randn(samples, *shape[1:])
    with torch.no_grad():
        outputs: Any = [made(image[None]) for image in images]
    if not all(isinstance(output, torch.Tensor) for output in outputs):
        raise Unusable(f"the network gives {type(outputs[0]).__name__}, one tensor is expected")
    written = [save(stem, "input", images.numpy()), save(stem, "output", torch.cat(outputs).numpy())]
    failed = []
    for level, output_type in LEVELS.items():
        path = stem.with_name(f"{stem.name}.{level}.mlirbc")
        try:
            module = fx.export_and_import(made, torch.zeros(shape), output_type=output_type, func_name="main")
        except Exception as error:  # of torch-mlir; the other level may well succeed
            path.unlink(missing_ok=True)
            failed.append(f"no {path.name}: {reason(error)}")
            continue
        with path.open("wb") as file:
            module.operation.write_bytecode(file)
        written.append(path)
    if failed:
        raise Partial(written, "; ".join(failed))
    return written


def reason(error: Exception) -> str:
    """The line of torch-mlir's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)


def save(stem: Path, kind: str, array: np.ndarray) -> Path:
    """Writes an array of samples."""
    path = stem.with_name(f"{stem.name}.{kind}.npy")
    np.save(path, np.ascontiguousarray(array, dtype=np.float32))
    return path
