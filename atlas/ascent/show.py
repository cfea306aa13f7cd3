"""One picture, a grid, or the animation of an ascent, straight into a file: nothing is cached."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import Rendering, render
from atlas.errors import AtlasError
from atlas.files import write_atomically
from atlas.networks.load import Network
from atlas.spec.recipe import Recipe

GAP = 2  # pixels between the pictures of a grid
BATCH = 16
FRAMES = 48  # of an animation, at most
FRAME_MILLISECONDS, LAST_MILLISECONDS = 80, 1500


def grid(network: Network, layer: str, channels: Sequence[int], recipe: Recipe, output: Path) -> list[int]:
    """Write a PNG of the channels' pictures in a square grid, row by row; of one its plain picture.

    A recipe's repeats stand next to each other; a recipe of a whole layer makes one picture, whatever the channels.

    Returns the channels that stayed dead. Raises AtlasError when a picture could not be made.
    """
    made = renderings(network, layer, channels, recipe)
    buffer = io.BytesIO()
    Image.fromarray(tile([picture for one in made for picture in one.pictures])).save(buffer, "PNG")
    write_atomically(output, buffer.getvalue())
    return [one.channel for one in made if one.state == "dead"]


def animation(network: Network, layer: str, channels: Sequence[int], recipe: Recipe, output: Path) -> list[int]:
    """Write a GIF of the ascent from its start; several channels ascend side by side. It rests on the last frame.

    Returns the channels that stayed dead. Raises AtlasError when a picture could not be made.
    """
    every = max(1, math.ceil(recipe.steps / FRAMES))
    made = renderings(network, layer, channels, recipe, every)
    count = max(len(one.frames) for one in made)  # one that settled rests on its finished picture
    shown = [[one.frames[min(index, len(one.frames) - 1)] for one in made] for index in range(count)]
    frames = [Image.fromarray(tile(pictures)) for pictures in shown]
    durations = [FRAME_MILLISECONDS] * (count - 1) + [LAST_MILLISECONDS]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    write_atomically(output, buffer.getvalue())
    return [one.channel for one in made if one.state == "dead"]


def tile(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """One picture ``(h, w, 3) uint8`` of several of one size, in a grid as square as it goes, black between them."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[0] + GAP, pictures[0].shape[1] + GAP
    sheet = np.zeros((rows * height - GAP, columns * width - GAP, 3), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height - GAP, left : left + width - GAP] = picture
    return sheet


def renderings(
    network: Network,
    layer: str,
    channels: Sequence[int],
    recipe: Recipe,
    frame_every: int = 0,
    make: Callable[[Network, str, Recipe, int], Kernel] = Kernel,
) -> list[Rendering]:
    """The renderings of some channels, one for a recipe of whole layers; a frame every so many steps, 0 for none.

    ``make`` gives the kernel: a new one, unless whoever asks keeps some. Raises AtlasError when a picture could not
    be made.
    """
    made: list[Rendering] = []
    try:
        kernel = make(network, layer, recipe, frame_every)
        wanted, size = [0] if recipe.whole else channels, max(1, BATCH // recipe.repeats)
        for first in range(0, len(wanted), size):
            made += render(kernel, wanted[first : first + size])
    except AtlasError:
        raise
    except Exception as error:  # whatever TensorFlow raises: out of memory, an operation without a gradient
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise AtlasError(f"{layer}: expected a layer that can be ascended, received {said}") from error
    for one in made:
        if one.state == "failed":
            raise AtlasError(f"{layer} {one.channel}: expected finite numbers, received others; try another seed")
    return made
