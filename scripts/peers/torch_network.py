"""InceptionV3 to mixed4 in PyTorch, layer for layer as Keras has it, with its weights from an .npz.

Keras pads evenly at stride 1, and an average next to the edge is one of the pixels inside alone.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]
from torch import nn

EPSILON = 1e-3  # of Keras's batch norms


class Branches(nn.Module):  # type: ignore[misc]
    """Several ways side by side, their channels one behind the other."""

    def __init__(self, *ways: Any):
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, given: Any) -> Any:
        """``(n, c, h, w)`` to ``(n, c', h', w')``."""
        return torch.cat([way(given) for way in self.ways], dim=1)


class Signed(nn.Module):  # type: ignore[misc]
    """Pictures in [0, 1] as InceptionV3 wants them, in [-1, 1]."""

    def forward(self, given: Any) -> Any:
        """``(n, 3, h, w)``, shape unchanged."""
        return given * 2 - 1


def convolution(given: int, made: int, height: int, width: int, stride: int = 1, same: bool = True) -> Any:
    """A convolution with its batch norm and ReLU."""
    padding = (height // 2, width // 2) if same else 0
    return nn.Sequential(
        nn.Conv2d(given, made, (height, width), stride, padding, bias=False),
        nn.BatchNorm2d(made, eps=EPSILON),
        nn.ReLU(inplace=True),
    )


def square(given: int, *made: tuple[int, int]) -> Any:
    """Convolutions one behind the other, each with its ``(channels, side of its kernel)``."""
    depths = [given, *(depth for depth, _ in made)]
    return nn.Sequential(
        *(convolution(before, depth, side, side) for before, (depth, side) in zip(depths, made, strict=False))
    )


def long(given: int, *made: tuple[int, int, int]) -> Any:
    """Convolutions one behind the other, each with its ``(channels, height, width of its kernel)``."""
    depths = [given, *(depth for depth, _, _ in made)]
    return nn.Sequential(*(convolution(before, *one) for before, one in zip(depths, made, strict=False)))


def pooled(given: int, made: int) -> Any:
    """An average of 3 by 3 and a convolution of 1 by 1."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), convolution(given, made, 1, 1))


def early(given: int, pool: int) -> Any:
    """mixed0, mixed1 or mixed2."""
    return Branches(
        square(given, (64, 1)),
        square(given, (48, 1), (64, 5)),
        square(given, (64, 1), (96, 3), (96, 3)),
        pooled(given, pool),
    )


def inceptionv3(weights: str) -> Any:
    """The network from pictures ``(n, 3, h, w)`` in [0, 1] to the layer named mixed4; its weights stay as they are."""
    stem = nn.Sequential(
        convolution(3, 32, 3, 3, 2, same=False),
        convolution(32, 32, 3, 3, same=False),
        convolution(32, 64, 3, 3),
        nn.MaxPool2d(3, 2),
        convolution(64, 80, 1, 1, same=False),
        convolution(80, 192, 3, 3, same=False),
        nn.MaxPool2d(3, 2),
    )
    mixed3 = Branches(
        convolution(288, 384, 3, 3, 2, same=False),
        nn.Sequential(*square(288, (64, 1), (96, 3)), convolution(96, 96, 3, 3, 2, same=False)),
        nn.MaxPool2d(3, 2),
    )
    mixed4 = Branches(
        long(768, (192, 1, 1)),
        long(768, (128, 1, 1), (128, 1, 7), (192, 7, 1)),
        long(768, (128, 1, 1), (128, 7, 1), (128, 1, 7), (128, 7, 1), (192, 1, 7)),
        pooled(768, 192),
    )
    network = nn.Sequential(
        OrderedDict(
            signed=Signed(),
            stem=stem,
            mixed0=early(192, 32),
            mixed1=early(256, 64),
            mixed2=early(288, 64),
            mixed3=mixed3,
            mixed4=mixed4,
        )
    )
    _fill(network, np.load(weights))
    return network.eval().requires_grad_(False)


def _fill(network: Any, arrays: Any) -> None:
    """Give the weights to convolutions and batch norms, which are defined in the order in which Keras creates them."""
    for number, one in enumerate(_of(network, nn.Conv2d)):
        one.weight.data = torch.from_numpy(arrays[f"conv2d_{number}/kernel"].transpose(3, 2, 0, 1).copy())
    for number, one in enumerate(_of(network, nn.BatchNorm2d)):
        name = f"batch_normalization_{number}"
        one.bias.data = torch.from_numpy(arrays[f"{name}/beta"])  # the factor stays 1: Keras has none here
        one.running_mean = torch.from_numpy(arrays[f"{name}/moving_mean"])
        one.running_var = torch.from_numpy(arrays[f"{name}/moving_variance"])


def _of(network: Any, kind: Any) -> Iterator[Any]:
    return (one for one in network.modules() if isinstance(one, kind))
