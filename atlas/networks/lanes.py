"""From how many images on each of them gets the same bytes in every batch."""

from collections.abc import Iterable

from atlas.networks.graph import Node

LEAST = 2  # a batch of one takes another way through convolutions
LANES = 8  # numbers that TensorFlow computes at a time where they are roots, exponentials and the like
EXACT = {
    *("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization", "Rescaling"),
    *("MaxPooling2D", "AveragePooling2D", "ZeroPadding2D", "Cropping2D", "Concatenate", "Add", "Dropout", "Identity"),
    "CustomScaleLayer",  # a sum with a product, of InceptionResNetV2
}
"""What rounds alike in every batch of two images or more."""


def smallest_batch(nodes: Iterable[Node]) -> int:
    """How many images, or how many times as many, go through some nodes at least.

    Eight where some are not EXACT: TensorFlow computes roots and exponentials eight at a time, and rounds otherwise in
    what is left over at the end of all.
    """
    return LEAST if all(node.relu or node.kind in EXACT for node in nodes) else LANES
