"""The way of a batch from its starts to its last parameters: octaves, windows of steps, and who has settled."""

from dataclasses import dataclass, field

import numpy as np

from atlas.ascent import optimizers, transforms
from atlas.ascent.kernel import Kernel, Stage
from atlas.ascent.starts import resized
from atlas.spec.slots import Settle


@dataclass
class Image:
    """One image on its way; the repeats of a job are as many images, next to each other.

    ``start`` and ``parameters`` are parameters of the kernel's last stage, ``(*shape)``. ``trace`` and ``frames`` grow
    with the steps: ``(steps, 4) float32`` and ``(count, s, s, 3) uint8`` each; ``framed`` are the steps of the frames,
    counted from the first of all octaves. ``counted (s, s) float32`` is that of ``kernel.Climb``, or None.
    """

    channel: int
    generator: np.random.Generator
    start: np.ndarray
    parameters: np.ndarray
    trace: list[np.ndarray] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    framed: list[int] = field(default_factory=list)
    counted: np.ndarray | None = None
    settled: bool = False


def prepare(kernel: Kernel, channel: int, seed: int) -> Image:
    """An image before its first step; all that is random about it comes from its seed."""
    generator = np.random.Generator(np.random.Philox(seed))
    start = kernel.stages[-1].picture.start(kernel.recipe.start, generator)
    return Image(channel, generator, start, start)


def ascend(kernel: Kernel, images: list[Image]) -> None:
    """Take every image up to its last step, through the octaves where there are some."""
    parts = np.array_split(optimizers.rates(kernel.recipe.optimizer, kernel.recipe.steps), len(kernel.stages))
    detail = [np.zeros_like(image.start) for image in images]  # what the octaves before have changed
    for stage, rates in zip(kernel.stages, parts, strict=True):
        if len(kernel.stages) == 1:
            _climb(kernel, stage, images, rates)
            return
        side = stage.picture.size
        bases = [resized(image.start, side) for image in images]
        for image, base, changed in zip(images, bases, detail, strict=True):
            image.parameters = base + resized(changed, side)
        _climb(kernel, stage, images, rates)
        detail = [image.parameters - base for image, base in zip(images, bases, strict=True)]


def filled(kernel: Kernel, images: int) -> np.ndarray:
    """The numbers of a batch's images, filled up with its last job's to a power of two of jobs."""
    repeats = kernel.recipe.repeats
    size = 1
    while size < images // repeats or size * repeats % kernel.smallest_batch:
        size *= 2
    numbers = np.arange(images)
    return np.concatenate([numbers, *[numbers[-repeats:]] * (size - images // repeats)])


def _climb(kernel: Kernel, stage: Stage, images: list[Image], rates: np.ndarray) -> None:
    """The steps of one stage: all at once, or window by window where images may settle; those that have drop out."""
    recipe, steps, looks = kernel.recipe, len(rates), kernel.recipe.looks
    begun = [sum(map(len, image.trace)) for image in images]  # steps that the octaves before took
    draws = [transforms.draw(recipe.transforms, stage.picture.size, steps, image.generator) for image in images]
    at = stage.begin(np.stack([image.parameters for image in images]))
    going, rises = np.arange(len(images)), np.zeros((0, len(images)))
    window = recipe.settle.window if recipe.settle else steps
    for first in range(0, steps, window):
        part, batch = slice(first, first + window), going[filled(kernel, len(going))]
        seen = slice(first * looks, (first + window) * looks)
        some = transforms.together([draws[number].of(seen) for number in batch])
        channels = np.array([images[number].channel for number in batch], np.int32)
        to, done = stage.climb(channels, at.of(batch), some, rates[part], first)
        at.note(going, to)
        taken = range(first, first + len(rates[part]))
        framed = [step for step in taken if kernel.frame_every and step % kernel.frame_every == 0]
        for place, number in enumerate(going.tolist()):
            images[number].trace.append(done.trace[place])
            images[number].frames.append(done.frames[place])
            images[number].framed += [begun[number] + step for step in framed]
        if recipe.settle and first + window < steps:
            rises = np.concatenate([rises[-1:], np.full((1, len(images)), np.nan)])
            rises[-1, going] = done.trace[: len(going), :, 0].mean(axis=1)
            going = _unsettled(going, rises, recipe.settle, recipe.repeats)
        if not len(going):
            break
    for number, image in enumerate(images):
        image.settled = number not in going
        image.parameters = (at.best[0] if at.best else at.parameters)[number]
        image.counted = at.counted[0][number] if at.counted else None


def _unsettled(going: np.ndarray, rises: np.ndarray, settle: Settle, repeats: int) -> np.ndarray:
    """The images that go on: those of jobs whose mean score, ``rises (2, images)``, still rises from window to window.

    The images of one job settle together.
    """
    if len(rises) < 2:
        return going
    before, now = rises[:, going].reshape(2, -1, repeats).mean(axis=2)
    stay = ~(now - before < settle.gain * np.abs(before))
    unsettled: np.ndarray = going[np.repeat(stay, repeats)]
    return unsettled
