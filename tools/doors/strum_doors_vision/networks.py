"""SSDLite, DeepLabV3 and a U-Net in Keras, small, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

layers = tf.keras.layers
Tensor = Any


def _conv(x: Tensor, channels: int, kernel: int = 3, **more: Any) -> Tensor:
    x = layers.Conv2D(channels, kernel, padding="same", use_bias=False, **more)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def _separable(x: Tensor, channels: int, stride: int = 1, **more: Any) -> Tensor:
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, **more)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return _conv(x, channels, 1)


def _backbone(size: int) -> tuple[tf.keras.Model, Tensor, Tensor]:
    """MobileNetV2 with its features at strides 8 and 16."""
    model = tf.keras.applications.MobileNetV2((size, size, 3), alpha=0.35, include_top=False, weights=None)
    return model, model.get_layer("block_6_expand_relu").output, model.get_layer("block_13_expand_relu").output


def unet(size: int = 64) -> tf.keras.Model:
    """A U-Net of three levels with transposed convolutions, two classes."""
    x = image = layers.Input((size, size, 3))
    skips = []
    for channels in (16, 32, 64):
        x = _conv(_conv(x, channels), channels)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _conv(x, 96)
    for channels, skip in zip((64, 32, 16), reversed(skips)):
        x = layers.Conv2DTranspose(channels, 2, strides=2, padding="same")(x)
        x = _conv(layers.Concatenate()([x, skip]), channels)
    return tf.keras.Model(image, layers.Conv2D(2, 1)(x))


def deeplab_v3(size: int = 96) -> tf.keras.Model:
    """DeepLabV3 on MobileNetV2: dilated convolutions, a branch of the whole image, bilinear resizing; scores and classes."""
    backbone, _, features = _backbone(size)
    side = features.shape[1]
    branches = [_conv(features, 48, 1)]
    branches += [_separable(features, 48, dilation_rate=rate) for rate in (2, 3, 4)]
    whole = _conv(layers.GlobalAveragePooling2D(keepdims=True)(features), 48, 1)
    branches.append(tf.image.resize(whole, (side, side)))
    x = _conv(layers.Concatenate()(branches), 64, 1)
    x = layers.Conv2D(21, 1)(x)
    x = tf.image.resize(x, (size, size))
    return tf.keras.Model(backbone.input, [x, tf.argmax(x, axis=-1, output_type=tf.int32)])


def ssdlite(size: int = 128) -> tf.keras.Model:
    """SSDLite on MobileNetV2: boxes and scores of four maps of anchors, before the suppression of overlapping boxes."""
    backbone, fine, coarse = _backbone(size)
    maps = [fine, coarse]
    for channels in (64, 48):
        maps.append(_separable(_conv(maps[-1], channels // 2, 1), channels, stride=2))
    boxes, scores = [], []
    for features in maps:
        for values, found in ((4, boxes), (11, scores)):
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(features)
            x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
            found.append(layers.Reshape((-1, values))(layers.Conv2D(3 * values, 1)(x)))
    outputs = [layers.Concatenate(axis=1)(boxes), tf.sigmoid(layers.Concatenate(axis=1)(scores))]
    return tf.keras.Model(backbone.input, outputs)


NETWORKS: dict[str, Callable[[], tf.keras.Model]] = {"unet": unet, "deeplab_v3": deeplab_v3, "ssdlite": ssdlite}
