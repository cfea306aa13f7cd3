"""InceptionV3 to mixed4 as users of Keras have it: from ``keras.applications``, with weights from an .npz."""

import re
from typing import Any

import keras
import numpy as np


def inceptionv3(weights: str, layer: str, size: int | None) -> Any:
    """The model from pictures in [-1, 1] to ``layer``; of ``size`` pixels, or of any size for None."""
    whole = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(size, size, 3))
    model = keras.Model(whole.input, whole.get_layer(layer).output)
    arrays = np.load(weights)
    for number, convolution in enumerate(_in_order(model, keras.layers.Conv2D)):
        convolution.set_weights([arrays[f"conv2d_{number}/kernel"]])
    for number, norm in enumerate(_in_order(model, keras.layers.BatchNormalization)):
        name = f"batch_normalization_{number}"
        norm.set_weights([arrays[f"{name}/{variable}"] for variable in ("beta", "moving_mean", "moving_variance")])
    return model


def _in_order(model: Any, kind: Any) -> list[Any]:
    """The layers of one kind in the order of their creation, which is that of the numbers in their names.

    The numbers themselves come from a counter of the process.
    """
    return sorted((one for one in model.layers if isinstance(one, kind)), key=_number)


def _number(layer: Any) -> int:
    match = re.search(r"_(\d+)$", layer.name)
    return int(match[1]) if match else 0
