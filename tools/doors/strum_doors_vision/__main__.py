"""Makes the networks: `strum_doors_vision FOLDER [NETWORK…]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from .networks import NETWORKS  # noqa: E402


def _images(model: tf.keras.Model, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Noise with structure at several scales, from -1 to 1."""
    dice = np.random.default_rng(seed)
    size = model.input_shape[1]
    parts = [tf.image.resize(dice.standard_normal((count, side, side, 3)), (size, size)) for side in (4, 16, size)]
    return np.tanh(sum(part.numpy() for part in parts)).astype(np.float32)


def _quantized(model: tf.keras.Model) -> bytes:
    """The network in int8, inputs and outputs as well."""

    def samples() -> Iterator[list[np.ndarray[Any, Any]]]:
        for image in _images(model, 24, 5):
            yield [image[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def make(name: str, path: Path) -> None:
    """Makes a network, and writes it."""
    tf.keras.utils.set_random_seed(11)
    model = NETWORKS[name]()
    # Batch normalization with the statistics of images, so that values neither vanish nor saturate.
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for seed in range(12):
        model(_images(model, 8, seed), training=True)
    path.write_bytes(_quantized(model))


def main() -> int:
    """The entry point."""
    parser = argparse.ArgumentParser(
        prog="tools/doors/vision",
        description="Makes SSDLite, DeepLabV3 and a U-Net with random weights, has TFLite's converter quantize them to "
        "int8, and compares strumc with TFLite's reference kernels.",
    )
    parser.add_argument("folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("networks", nargs="*", choices=[[], *NETWORKS], help=f"of {', '.join(NETWORKS)} (default: all)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for old in arguments.folder.glob("*.tflite"):
        old.unlink()
    for name in arguments.networks or NETWORKS:
        make(name, arguments.folder / f"{name}.tflite")
    return 0


if __name__ == "__main__":
    sys.exit(main())
