"""From PyTorch to MLIR."""

import copy
import importlib
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch_mlir import fx

from .common import LEVELS, Partial, Unusable, save
from .names import ARGUMENTS, TORCHVISION

def network(name: str, state_dict: Path | None, size: int) -> torch.nn.Module:
    """A torchvision network, or the result of MODULE:FUNCTION, in evaluation mode."""
    torch.manual_seed(0)
    if ":" in name:
        module, _, function = name.partition(":")
        try:
            made = getattr(importlib.import_module(module), function)()
        except (ImportError, AttributeError) as error:
            raise Unusable(str(error)) from error
        if not isinstance(made, torch.nn.Module):
            raise Unusable(f"{name}() returns {type(made).__name__}, not a torch.nn.Module")
    else:
        made = torchvision.models.get_model(name, weights=None, **ARGUMENTS.get(name, {}))
    if state_dict is not None:
        made.load_state_dict(weights_of(state_dict))
    elif name in TORCHVISION:
        settle(made, size)
    made.eval()
    freeze(made)
    return made


def weights_of(path: Path) -> dict[str, Any]:
    """The weights in a file of torch.save, alone or as "state_dict" of a training checkpoint."""
    try:
        # weights_only: a file of weights cannot run code.
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of PyTorch, pickle and zipfile, of many kinds
        raise Unusable(f"{path} is not a file of weights for torch.load: {error}") from error
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict):
        raise Unusable(f"{path} holds {type(held).__name__}, not a state_dict")
    return held


def settle(made: torch.nn.Module, size: int) -> None:
    """Sets batch normalizations to the statistics of random images; with those of a new network, signals fade."""
    made.train()
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        made(torch.randn(4, 3, size, size))


def freeze(made: torch.nn.Module) -> None:
    """Turns buffers into parameters: torch-mlir passes buffers as arguments of the function."""
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # Used only in training.
            module.num_batches_tracked = None
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.dtype.is_floating_point:
                delattr(module, name)
                setattr(module, name, torch.nn.Parameter(buffer.clone(), requires_grad=False))


def check_pools(made: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Fails for adaptive poolings whose windows differ in size: torch-mlir rejects them, or crashes."""

    def look(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        size = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2
        for extent, places in zip(inputs[0].shape[-2:], size, strict=True):
            if places is not None and extent % places:
                pixels = "x".join(map(str, inputs[0].shape[-2:]))
                raise Unusable(
                    f"an adaptive pooling from {pixels} to {'x'.join(map(str, size))} has windows of several sizes, "
                    "which torch-mlir does not export: give a --size for which one divides the other"
                )

    hooks = [
        module.register_forward_pre_hook(look)
        for module in made.modules()
        if isinstance(module, torch.nn.AdaptiveAvgPool2d)
    ]
    with torch.no_grad():
        made(torch.zeros(shape))
    for hook in hooks:
        hook.remove()


class Groups(torch.nn.Module):
    """A grouped convolution as one convolution per group."""

    def __init__(self, whole: torch.nn.Conv2d) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList()
        self.channels = whole.in_channels // whole.groups
        filters = whole.out_channels // whole.groups
        for group in range(whole.groups):
            part = torch.nn.Conv2d(
                self.channels,
                filters,
                whole.kernel_size,
                whole.stride,
                whole.padding,
                whole.dilation,
                bias=whole.bias is not None,
            )
            own = slice(group * filters, (group + 1) * filters)
            part.weight = torch.nn.Parameter(whole.weight[own].detach(), requires_grad=False)
            if whole.bias is not None:
                part.bias = torch.nn.Parameter(whole.bias[own].detach(), requires_grad=False)
            self.parts.append(part)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The concatenated results of the convolutions."""
        inputs = torch.split(images, self.channels, dim=1)
        return torch.cat([part(own) for part, own in zip(self.parts, inputs, strict=True)], dim=1)


def without_groups(made: torch.nn.Module) -> torch.nn.Module:
    """The same network with grouped convolutions split: torch-mlir does not lower them to TOSA.

    Those of one channel a group, depthwise convolutions, it does.
    """

    def grouped(module: torch.nn.Module) -> bool:
        return (
            isinstance(module, torch.nn.Conv2d)
            and 1 < module.groups < module.in_channels
            and module.padding_mode == "zeros"
        )

    if not any(grouped(module) for module in made.modules()):
        return made
    made = copy.deepcopy(made)
    for module in list(made.modules()):
        for name, child in list(module.named_children()):
            if grouped(child):
                setattr(module, name, Groups(child))
    return made.eval()


def export(made: torch.nn.Module, stem: Path, shape: tuple[int, ...], samples: int) -> list[Path]:
    """Writes both levels, inputs, and PyTorch's outputs for them; returns the files."""
    check_pools(made, shape)
    images = torch.randn(samples, *shape[1:])
    with torch.no_grad():
        outputs: Any = [made(image[None]) for image in images]
    if not all(isinstance(output, torch.Tensor) for output in outputs):
        raise Unusable(f"the network returns {type(outputs[0]).__name__}, expected one tensor")
    written = [save(stem, "input", images.numpy()), save(stem, "output", torch.cat(outputs).numpy())]
    failed = []
    for level, output_type in LEVELS.items():
        path = stem.with_name(f"{stem.name}.{level}.mlirbc")
        network = without_groups(made) if level == "tosa" else made
        try:
            module = fx.export_and_import(network, torch.zeros(shape), output_type=output_type, func_name="main")
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
    """The line of torch-mlir's message with the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)
    # The diagnostics themselves go directly to standard error.
    return said.removesuffix(" with the following diagnostics:")
