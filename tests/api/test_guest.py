"""What a caller has set up is there after every function, and changes nothing of what comes out."""

import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import atlas
from atlas.api.explain import explain
from atlas.errors import AtlasError

GIVEN = {"weights": "random:58", "preprocessing": "tf"}
QUICK = {"size": 32, "steps": 4}


def surroundings() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "numpy": np.random.get_state()[1].tolist(),
        "options": tf.config.optimizer.get_experimental_options(),
        "policy": keras.config.dtype_policy().name,
        "random": random.getstate(),
    }


@pytest.fixture
def calls(toy, folder) -> list[Callable[[], Any]]:
    mixed = {**QUICK, "arithmetic": "mixed"}
    return [
        lambda: atlas.maximize(toy, "both", 3, **GIVEN, **QUICK).picture,
        lambda: atlas.maximize(toy, "both", 3, **GIVEN, **mixed).state,
        lambda: atlas.feature_maps(toy, np.zeros((32, 32, 3), np.uint8), ["first"], **GIVEN)["first"],
        lambda: atlas.exemplars(toy, "left", folder, [0, 1], k=2, **GIVEN).findings.top,
        lambda: explain(toy, "left", 5, folder, limit=4, **GIVEN, **QUICK).score,
    ]


def test_every_function_leaves_the_process_as_it_was(calls):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        number = keras.layers.Conv2D(1, 1).name
        for call in calls:
            before = surroundings()
            call()
            assert surroundings() == before
        following = keras.layers.Conv2D(1, 1).name
    finally:
        keras.config.set_dtype_policy("float32")
    assert int(following.rpartition("_")[2]) - int(f"0{number.partition('conv2d')[2].strip('_')}") == 1


def test_a_setting_of_the_whole_process_is_one_sentence_from_every_function(calls):
    tf.config.run_functions_eagerly(True)
    try:
        for call in calls:
            with pytest.raises(AtlasError, match="run_functions_eagerly"):
                call()
    finally:
        tf.config.run_functions_eagerly(False)
