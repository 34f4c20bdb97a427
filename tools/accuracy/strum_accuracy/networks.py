"""The networks, and the preprocessing of their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]


def scaled(mean: float, deviation: float, axis: bool = False) -> Callable[[Arrays], np.ndarray]:
    """(u8 / 255 - mean) / deviation; with `axis`, a channel axis is added."""

    def prepare(data: Arrays) -> np.ndarray:
        x = (data["images_u8"] / 255 - mean) / deviation
        return x[:, None] if axis else x

    return prepare


def imagenet(data: Arrays) -> np.ndarray:
    """Mean and deviation of ImageNet, channels first."""
    x = (data["images_u8"] / 255 - np.array((0.485, 0.456, 0.406))) / np.array((0.229, 0.224, 0.225))
    return x.transpose(0, 3, 1, 2)


def text_lines(data: Arrays) -> np.ndarray:
    """-1 to 1; columns after the text are 0."""
    x = (data["images_u8"] / 255 - 0.5) / 0.5
    for line, width in zip(x, data["widths"], strict=True):
        line[:, :, width:] = 0
    return x


@dataclass(frozen=True)
class Network:
    """A float network with its samples."""

    name: str
    title: str
    prepare: Callable[[Arrays], np.ndarray]
    # Prefix of its data files, if it is not the network's name.
    data: str = ""

    def float_file(self, models: Path) -> Path:
        return models / f"{self.name}.tosa.mlirbc"

    def samples(self, models: Path, part: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Inputs of the part `calib` or `test`, and labels of the first ones, if any."""
        with np.load(models / f"{self.data or self.name}_{part}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        return np.ascontiguousarray(self.prepare(arrays), dtype="<f4"), arrays.get("labels")


NETWORKS = [
    Network("resnet20", "ResNet-20, 4,000 digits on photographs", scaled(0.5, 0.25)),
    Network("ppocr_cls", "PP-OCR direction classifier, 1,000 lines of text", text_lines),
    Network("mnist_lenet", "LeNet, 1,000 digits of MNIST", scaled(0.1307, 0.3081, axis=True)),
    Network("efficientnet_lite0", "EfficientNet-Lite0, 100 images", imagenet),
    Network("svhn_vgg_bn", "VGG with batch normalization, 200 house numbers", scaled(0.45, 0.2), data="svhn_vgg"),
]
