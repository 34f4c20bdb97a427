"""The networks of the benchmarks: the layers of the published ones, at their published sizes.

Sources: ResNet (He et al., 2015; the stride of a bottleneck sits on its 3x3 layer, as in torchvision), MobileNetV2
(Sandler et al., 2018), EfficientNet-Lite0 (Google, 2020), VGG (Simonyan and Zisserman, 2014), SqueezeNet 1.1
(Iandola et al., 2016).
"""

from __future__ import annotations

from collections.abc import Callable

from .graph import Net, Tensor


def resnet18() -> Net:
    """ResNet-18: 224x224, 1.8 GMAC."""
    net, x = _resnet_stem("resnet18")
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            y = net.conv(x, channels, 3, stride)
            y = net.conv(y, channels, 3, relu=False)
            if stride != 1:
                x = net.conv(x, channels, 1, stride, relu=False)
            x = net.add(y, x, relu=True)
    return _classifier(net, x)


def resnet50() -> Net:
    """ResNet-50: 224x224, 4.1 GMAC."""
    net, x = _resnet_stem("resnet50")
    for stage, (channels, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = net.conv(x, channels)
            y = net.conv(y, channels, 3, stride)
            y = net.conv(y, 4 * channels, relu=False)
            if block == 0:
                x = net.conv(x, 4 * channels, 1, stride, relu=False)
            x = net.add(y, x, relu=True)
    return _classifier(net, x)


def _resnet_stem(name: str) -> tuple[Net, Tensor]:
    net = Net(name, (1, 224, 224, 3))
    return net, net.max_pool(net.conv(net.input, 64, 7, 2), 3, 2, pad=1)


def _classifier(net: Net, x: Tensor, classes: int = 1000) -> Net:
    net.conv(net.global_pool(x), classes, relu=False)
    return net


def _inverted_residual(net: Net, x: Tensor, expand: int, channels: int, kernel: int, stride: int) -> Tensor:
    y = net.conv(x, x.shape[3] * expand) if expand != 1 else x
    y = net.depthwise(y, kernel, stride)
    y = net.conv(y, channels, relu=False)
    return net.add(x, y) if x.shape == y.shape else y


def mobilenet_v2() -> Net:
    """MobileNetV2 1.0: 224x224, 0.3 GMAC."""
    net = Net("mobilenet_v2", (1, 224, 224, 3))
    x = net.conv(net.input, 32, 3, 2)
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expand, channels, repeats, stride in stages:
        for block in range(repeats):
            x = _inverted_residual(net, x, expand, channels, 3, stride if block == 0 else 1)
    return _classifier(net, net.conv(x, 1280))


def efficientnet_lite0() -> Net:
    """EfficientNet-Lite0: 224x224, 0.4 GMAC."""
    net = Net("efficientnet_lite0", (1, 224, 224, 3))
    x = net.conv(net.input, 32, 3, 2)
    stages = (
        (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    )
    for expand, channels, repeats, kernel, stride in stages:
        for block in range(repeats):
            x = _inverted_residual(net, x, expand, channels, kernel, stride if block == 0 else 1)
    return _classifier(net, net.conv(x, 1280))


def vgg11() -> Net:
    """VGG-11: 224x224, 7.6 GMAC, 133 million weights."""
    net = Net("vgg11", (1, 224, 224, 3))
    x = net.input
    for channels, repeats in ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(repeats):
            x = net.conv(x, channels, 3)
        x = net.max_pool(x, 2, 2)
    x = net.conv(net.conv(net.flatten(x), 4096), 4096)
    net.conv(x, 1000, relu=False)
    return net


def squeezenet() -> Net:
    """SqueezeNet 1.1: 224x224, 0.35 GMAC."""
    net = Net("squeezenet", (1, 224, 224, 3))
    x = net.max_pool(net.conv(net.input, 64, 3, 2, pad=0), 3, 2)
    for squeeze, expand, pool in (
        (16, 64, False), (16, 64, True), (32, 128, False), (32, 128, True), (48, 192, False), (48, 192, False),
        (64, 256, False), (64, 256, False),
    ):
        x = net.conv(x, squeeze)
        x = net.concat(net.conv(x, expand), net.conv(x, expand, 3))
        if pool:
            x = net.max_pool(x, 3, 2)
    net.global_pool(net.conv(x, 1000))
    return net


NETS: dict[str, Callable[[], Net]] = {
    f.__name__: f for f in (resnet50, resnet18, mobilenet_v2, efficientnet_lite0, vgg11, squeezenet)
}
