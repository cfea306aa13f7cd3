"""Pictures of channels as the tutorial's script makes them: one after the other, each with a compiled loop of its own.

With ``--apart`` each loop first runs for one step, so that it is traced before the ascent is timed.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from interface import LAYER, Ascent, parser, run
from keras_network import inceptionv3


def main() -> None:
    arguments = parser("Pictures of channels as the tutorial's script makes them.")
    arguments.add_argument("--network", default="inceptionv3", help="inceptionv3, or vgg19 with random weights")
    arguments.add_argument("--layer", default=LAYER)
    arguments.add_argument("--apart", action="store_true", help="trace before the ascent is timed")
    given = arguments.parse_args()
    model = vgg19(given.layer) if given.network == "vgg19" else inceptionv3(given.weights, given.layer, None)

    def prepare(channel: int) -> Ascent:
        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=(
                tf.TensorSpec([None, None, 3], tf.float32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            )
        )
        def gradient_ascent(picture: Any, steps: Any, step_size: Any) -> Any:
            for _ in tf.range(steps):
                with tf.GradientTape() as tape:
                    tape.watch(picture)
                    activation = model(tf.expand_dims(picture, axis=0))
                    loss = tf.math.reduce_mean(activation[:, :, :, channel])
                gradient = tape.gradient(loss, picture)
                gradient /= tf.math.reduce_std(gradient)
                picture = picture + gradient * step_size
                picture = tf.clip_by_value(picture, -1, 1)
            return picture

        noise = np.random.default_rng(channel).integers(0, 256, (given.size, given.size, 3))
        start = tf.constant(noise / 127.5 - 1, tf.float32)
        if given.apart:
            gradient_ascent(start, tf.constant(1), tf.constant(0.1))

        def ascent() -> np.ndarray:
            picture = gradient_ascent(start, tf.constant(given.steps), tf.constant(0.1))
            return np.asarray(tf.cast(255 * (picture + 1) / 2, tf.uint8))

        return ascent

    run(given, prepare, ("tensorflow", "keras"))


def vgg19(layer: str) -> Any:
    """VGG19 with random weights to ``layer``, which are as fast as any."""
    whole = tf.keras.applications.VGG19(include_top=False, weights=None)
    return tf.keras.Model(whole.input, whole.get_layer(layer).output)


if __name__ == "__main__":
    main()
