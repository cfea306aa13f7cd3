"""Pictures of channels of mixed4 by tf-keras-vis: its own modifiers, regularizers and optimizer, one call for each."""

import keras
import numpy as np
from interface import LAYER, Ascent, parser, run
from keras_network import inceptionv3
from tf_keras_vis.activation_maximization import ActivationMaximization  # type: ignore[import-not-found]
from tf_keras_vis.utils.scores import CategoricalScore  # type: ignore[import-not-found]


def main() -> None:
    given = parser("Pictures of channels of mixed4 by tf-keras-vis.").parse_args()
    cut = inceptionv3(given.weights, LAYER, given.size)
    picture = keras.Input((given.size, given.size, 3))  # from 0 to 255, for which the library's own numbers are made
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(picture)
    maximization = ActivationMaximization(keras.Model(picture, cut(scaled)), clone=False)

    def prepare(channel: int) -> Ascent:
        def ascent() -> np.ndarray:
            made = np.asarray(maximization(CategoricalScore(channel), steps=given.steps))
            return np.asarray(made[0].astype(np.uint8))

        return ascent

    run(given, prepare, ("tensorflow", "keras", "tf-keras-vis"))


if __name__ == "__main__":
    main()
