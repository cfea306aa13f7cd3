"""What the reader of configurations asks about networks and weights. No TensorFlow for a network that is known."""

from atlas.networks import weights
from atlas.networks.catalog import facts, preprocessing
from atlas.spec.request import Catalog


def catalog() -> Catalog:
    """The answers to all that ``spec`` asks."""
    return Catalog(facts=facts, find_weights=weights.locate, available=weights.available, preprocessing=preprocessing)
