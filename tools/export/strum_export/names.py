"""The networks that are known by name. Invariant: nothing here needs PyTorch, so that they can be listed at once."""

from typing import Any

# Exit code of --check: the options are right, and there is something to do.
READY = 10

# Of torchvision's networks for classification the convolutional ones that are of a size for this.
TORCHVISION = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_b1 efficientnet_v2_s googlenet inception_v3 "
    "mnasnet0_5 mnasnet1_0 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_400mf regnet_x_800mf "
    "regnet_y_400mf regnet_y_800mf resnet18 resnet34 resnet50 resnext50_32x4d shufflenet_v2_x0_5 "
    "shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1 vgg11 vgg11_bn vgg16 vgg16_bn wide_resnet50_2"
).split()

SIZES = {"inception_v3": 299}
DEFAULT_SIZE = 224

# The heads that are there for training alone stay away.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def size_of(name: str) -> int:
    """Rows and columns of the input that a network is made for."""
    return SIZES.get(name, DEFAULT_SIZE)
