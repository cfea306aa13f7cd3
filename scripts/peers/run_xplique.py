"""Pictures of channels of mixed4 by Xplique: its own parameterization, transforms and optimizer, one call for each.

Every call compiles its step anew; that is part of a channel's time, as it is for whoever calls it.
"""

import numpy as np
from interface import LAYER, Ascent, eight_bit, parser, run
from keras_network import inceptionv3
from xplique.features_visualizations import Objective, optimize  # type: ignore[import-not-found]


def main() -> None:
    given = parser("Pictures of channels of mixed4 by Xplique.").parse_args()
    network = inceptionv3(given.weights, LAYER, given.size)

    def prepare(channel: int) -> Ascent:
        def ascent() -> np.ndarray:
            made, _ = optimize(
                Objective.channel(network, LAYER, channel),
                nb_steps=given.steps,
                values_range=(-1, 1),
                custom_shape=(given.size, given.size),
            )
            return eight_bit((made[-1][0].numpy() + 1) / 2)

        return ascent

    run(given, prepare, ("tensorflow", "keras", "xplique"))


if __name__ == "__main__":
    main()
