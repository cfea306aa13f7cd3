"""One picture, a grid, or the animation of an ascent, as a file. Nothing here needs TensorFlow."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from atlas.files import write_atomically
from atlas.spec.recipe import Recipe

GAP = 2  # pixels between the pictures of a grid
FRAMES = 48  # of an animation, at most
FRAME_MILLISECONDS, LAST_MILLISECONDS = 80, 1500


@dataclass(frozen=True, eq=False)
class Shown:
    """What is shown of a rendering, see ``render.Rendering``, which cannot be named without TensorFlow."""

    channel: int
    pictures: np.ndarray
    frames: np.ndarray
    state: str


def grid(made: Sequence[Shown], output: Path, remark: str = "") -> None:
    """Write a PNG of some pictures in a square grid, row by row; of one its plain picture. ``remark`` goes with it.

    A recipe's repeats stand next to each other.
    """
    buffer, beside = io.BytesIO(), PngInfo()
    if remark:
        beside.add_text("Comment", remark)
    Image.fromarray(tile([picture for one in made for picture in one.pictures])).save(buffer, "PNG", pnginfo=beside)
    write_atomically(output, buffer.getvalue())


def frame_every(recipe: Recipe) -> int:
    """Every how many steps an animation has a frame."""
    return max(1, math.ceil(recipe.steps / FRAMES))


def animation(made: Sequence[Shown], output: Path, remark: str = "") -> None:
    """Write a GIF of ascents from their starts, side by side. It rests on the last frame. ``remark`` goes with it.

    Each has frames; one that settled has fewer, and rests on its finished picture.
    """
    count = max(len(one.frames) for one in made)
    shown = [[one.frames[min(index, len(one.frames) - 1)] for one in made] for index in range(count)]
    frames = [Image.fromarray(tile(pictures)) for pictures in shown]
    durations = [FRAME_MILLISECONDS] * (count - 1) + [LAST_MILLISECONDS]
    buffer = io.BytesIO()
    beside = {"comment": remark} if remark else {}
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, **beside)
    write_atomically(output, buffer.getvalue())


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
