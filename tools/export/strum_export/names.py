"""The networks known by name. Invariant: nothing here needs PyTorch, so that they can be listed immediately."""

from typing import Any

# Exit code of --check: the options are valid, and there is something to do.
READY = 10

# The same, and no network comes from PyTorch.
READY_FOR_ONNX = 11

# torchvision's convolutional classification networks of a suitable size.
TORCHVISION = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_b1 efficientnet_v2_s googlenet inception_v3 "
    "mnasnet0_5 mnasnet1_0 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_400mf regnet_x_800mf "
    "regnet_y_400mf regnet_y_800mf resnet18 resnet34 resnet50 resnext50_32x4d shufflenet_v2_x0_5 "
    "shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1 vgg11 vgg11_bn vgg16 vgg16_bn wide_resnet50_2"
).split()

SIZES = {"inception_v3": 299}
DEFAULT_SIZE = 224

# Without the heads used only for training.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def size_of(name: str) -> int:
    """Rows and columns of a network's native input."""
    return SIZES.get(name, DEFAULT_SIZE)
