"""Pictures of channels of mixed4 by Lucent: its own parameterization, transforms and optimizer, one call for each.

Lucent shows the network 224 px of any smaller picture, which at 128 px is three times the work. ``--sees`` is what the
network sees: as many pixels as the picture has when left out, 0 for Lucent's own choice. The network's weights are
frozen, which Lucent leaves to its users and which spares it their gradients.
"""

import numpy as np
from interface import LAYER, Ascent, eight_bit, parser, run
from lucent.optvis import objectives, param, render  # type: ignore[import-not-found]
from torch_network import inceptionv3


def main() -> None:
    arguments = parser("Pictures of channels of mixed4 by Lucent.")
    arguments.add_argument("--sees", type=int, help="side in pixels of what the network sees; 0 for Lucent's own")
    given = arguments.parse_args()
    network = inceptionv3(given.weights)
    sees = given.size if given.sees is None else given.sees or None

    def prepare(channel: int) -> Ascent:
        def ascent() -> np.ndarray:
            made = render.render_vis(
                network,
                objectives.channel(LAYER, channel),
                lambda: param.image(given.size),
                thresholds=(given.steps,),
                preprocess=False,  # the network brings its own
                progress=False,
                show_image=False,
                fixed_image_size=sees,
            )
            return eight_bit(made[-1][0])

        return ascent

    run(given, prepare, ("torch", "torchvision", "kornia", "torch-lucent"))


if __name__ == "__main__":
    main()
