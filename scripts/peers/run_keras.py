"""One process of plain Keras: the gradient of a channel to its input, compiled, on one thread, as its users write it.

    python run_keras.py --network resnet50 --layer conv4_block3_out --size 224

It tries the batches of BATCHES, keeps the quickest, says ready, and works some seconds for each line that it reads.
Each answer is a line of JSON, as those of ``run_atlas.py``: ``work`` counts gradients of one picture.
"""

import argparse
import json
import sys
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

BATCHES = (1, 2, 4, 8, 16)
TRIED, WORKED = 1.0, 3.0  # seconds


def gradient_of(network: str, layer: str, size: int) -> Any:
    """A function that gives the gradient ``(n, size, size, 3)`` of channel 0 of a layer, of random weights."""
    name = next(name for name in dir(keras.applications) if name.lower() == network)
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(size, size, 3))
    part = keras.Model(model.input, model.get_layer(layer).output)

    @tf.function  # type: ignore[untyped-decorator]
    def gradient(pictures: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            score = tf.reduce_sum(tf.reduce_mean(part(pictures, training=False)[..., 0], axis=[1, 2]))
        return tape.gradient(score, pictures)

    return gradient


def rate(gradient: Any, pictures: Any, seconds: float) -> tuple[int, float]:
    """How many gradients of one picture are made in about so many seconds, and in how many exactly."""
    begun, work = time.perf_counter(), 0
    while not work or time.perf_counter() - begun < seconds:
        gradient(pictures).numpy()
        work += len(pictures)
    return work, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description="One process of plain Keras.")
    parser.add_argument("--network", required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--size", type=int, default=224)
    given = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gradient = gradient_of(given.network, given.layer, given.size)
    noise = np.random.default_rng(0).random((BATCHES[-1], given.size, given.size, 3), np.float32)
    rates = {}
    for batch in BATCHES:
        pictures = tf.constant(noise[:batch])
        gradient(pictures)
        work, seconds = rate(gradient, pictures, TRIED)
        rates[batch] = work / seconds
    best = max(rates, key=lambda batch: rates[batch])
    pictures = tf.constant(noise[:best])
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        work, seconds = rate(gradient, pictures, WORKED)
        print(json.dumps({"work": work, "seconds": seconds, "batch": best}), flush=True)


if __name__ == "__main__":
    main()
