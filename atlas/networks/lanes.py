"""From how many images on each of them gets the same bytes in every batch.

TensorFlow computes roots, exponentials and the like eight numbers at a time, and rounds otherwise in what is left over
at the end of all. Nothing is left over where a batch has a multiple of eight numbers.
"""

import math
from collections.abc import Iterable

from atlas.activations import ELEMENTWISE
from atlas.networks.graph import Node

LANES = 8  # numbers of 32 bits that TensorFlow computes at a time
LEAST = 2  # a batch of one takes another way through convolutions
EXACT = {
    *("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization", "Rescaling"),
    *("MaxPooling2D", "AveragePooling2D", "ZeroPadding2D", "Cropping2D", "Concatenate", "Add", "Dropout", "Identity"),
    *("CustomScaleLayer", "Normalization"),  # a sum with a product, and a difference over a number, by Keras itself
}
"""What rounds alike in every batch of two images or more."""
BY_CHANNEL = {"GlobalAveragePooling2D", "Multiply", "Subtract", "Reshape"}
"""What looks at each channel for itself, or at each number: alike where a batch has whole lanes of channels."""
FUNCTIONS = {"Activation", "ELU", "LeakyReLU"}


def smallest_batch(nodes: Iterable[Node]) -> int:
    """How many images, or how many times as many, go through some nodes at least; a power of two."""
    return max((_smallest(node) for node in nodes), default=LEAST)


def _smallest(node: Node) -> int:
    if node.relu or node.kind in EXACT:
        return LEAST
    known = node.kind in BY_CHANNEL or (node.kind in FUNCTIONS and node.function in ELEMENTWISE)
    channels = node.shapes[0][-1] if known and not node.first else None
    return max(LEAST, LANES // math.gcd(LANES, channels or 1))
