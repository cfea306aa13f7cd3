"""Parameterizations: how the numbers that ascend become a picture, and where they start.

Each has the same three parts: ``shape`` of one image's parameters, ``start`` (numpy, from the job's own generator),
``paint`` and ``constrain`` (TensorFlow, in the graph). Nothing in them looks at another image of the batch. Nor is a
root or a division done on one number per image: TensorFlow rounds those otherwise when there are enough of them to fill
a vector of the processor, and bytes would depend on the size of the batch. So such numbers are broadcast first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

from atlas.errors import AtlasError
from atlas.spec.recipe import STARTS, Fourier, Pixel, Recipe

# Colours of natural images: the Cholesky-like factor of ImageNet's colour covariance that Lucid uses
# (Olah et al. 2017; lucid/optvis/param/color.py), over its largest column norm.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32) / np.float32(0.46195)

# Mean colour of ImageNet in BGR that VGG's own preprocessing takes off, in [0, 255] (Simonyan & Zisserman 2014).
CAFFE_MEANS = np.array([103.939, 116.779, 123.68], np.float32)

START_DEVIATION = 0.01  # of a Fourier start's coefficients, as in Lucid


@dataclass(frozen=True)
class PixelPicture:
    """The parameters are the picture: ``(size, size, 3)``, kept in [0, 1] after every update."""

    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's parameters."""
        return (self.size, self.size, 3)

    def start(self, recipe: Recipe, generator: np.random.Generator) -> np.ndarray:
        """The parameters of the recipe's start: uniform 8-bit noise, a flat colour or a photo."""
        if recipe.start not in ("noise", "noise-caffe"):
            return flat_or_photo(recipe.start, self.size)
        noise = generator.integers(0, 256, self.shape).astype(np.float32)
        if recipe.start == "noise":
            return noise / np.float32(255)
        signed = noise[..., ::-1] - CAFFE_MEANS  # what VGG's preprocessing gives: far outside [-1, 1]
        return (signed + np.float32(1)) / np.float32(2)

    def paint(self, parameters: Any) -> Any:
        """The picture ``(n, size, size, 3)``: the parameters themselves."""
        return parameters

    def constrain(self, parameters: Any) -> Any:
        """The parameters after an update, clipped to [0, 1]."""
        return tf.clip_by_value(parameters, 0.0, 1.0)


@dataclass(frozen=True)
class FourierPicture:
    """The parameters are the real and imaginary parts of the picture's spectrum: ``(2, 3, size, size // 2 + 1)``.

    The spectrum is weighed by ``1 / frequency ** power``, turned into a picture, given the colours of natural images
    and squashed by a sigmoid. With ``contrast``, the values before the sigmoid have no mean colour and exactly that
    deviation: under plain gradient ascent the lowest frequencies run away and the picture goes pale.
    """

    size: int
    power: float
    decorrelate: bool
    contrast: float | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's parameters."""
        return (2, 3, self.size, self.size // 2 + 1)

    @property
    def weights(self) -> np.ndarray:
        """Weight of each frequency, ``(size, size // 2 + 1) float32``; 0 for the mean colour with ``contrast``."""
        across = np.fft.rfftfreq(self.size)[None, :]
        down = np.fft.fftfreq(self.size)[:, None]
        frequency = np.maximum(np.hypot(down, across), 1 / self.size)
        weights = self.size / frequency**self.power
        if self.contrast is not None:
            weights[0, 0] = 0.0
        return np.asarray(weights, np.float32)

    def start(self, recipe: Recipe, generator: np.random.Generator) -> np.ndarray:
        """The parameters of the recipe's start: small normal noise, or those that paint a flat colour or a photo."""
        if recipe.start in ("noise", "noise-caffe"):
            return np.float32(START_DEVIATION) * generator.standard_normal(self.shape, np.float32)
        picture = np.clip(flat_or_photo(recipe.start, self.size), 0.02, 0.98)
        values = np.log(picture / (1 - picture))  # the sigmoid undone
        if self.decorrelate:
            values = values @ np.linalg.inv(COLOURS).T
        weights = np.where(self.weights == 0, np.inf, self.weights)
        spectrum = 4 * np.fft.rfft2(values.transpose(2, 0, 1)) / weights
        return np.stack([spectrum.real, spectrum.imag]).astype(np.float32)

    def paint(self, parameters: Any) -> Any:
        """The picture ``(n, size, size, 3)`` in (0, 1) from parameters ``(n, 2, 3, size, size // 2 + 1)``."""
        spectrum = tf.complex(parameters[:, 0] * self.weights, parameters[:, 1] * self.weights)
        values = tf.signal.irfft2d(spectrum, [self.size, self.size]) / 4.0  # (n, 3, size, size)
        values = tf.transpose(values, [0, 2, 3, 1])  # (n, size, size, 3)
        if self.decorrelate:
            values = tf.einsum("nhwc,dc->nhwd", values, tf.constant(COLOURS))
        if self.contrast is not None:
            power = tf.reduce_mean(tf.square(values), axis=[1, 2, 3], keepdims=True)  # (n, 1, 1, 1)
            values = values * self.contrast / tf.sqrt(tf.broadcast_to(power, tf.shape(values)) + 1e-8)
        return tf.sigmoid(values)

    def constrain(self, parameters: Any) -> Any:
        """The parameters after an update: any value is fine."""
        return parameters


def parameterization(recipe: Recipe) -> PixelPicture | FourierPicture:
    """The parameterization that a recipe of known size asks for."""
    size, slot = int(recipe.size), recipe.parameterization
    match slot:
        case Pixel():
            return PixelPicture(size)
        case Fourier():
            return FourierPicture(size, slot.power, slot.decorrelate, slot.contrast)


def flat_or_photo(start: str, size: int) -> np.ndarray:
    """A start picture ``(size, size, 3) float32 in [0, 1]``: ``grey``, ``black``, or a photo cropped to a square.

    Raises AtlasError when the photo cannot be read.
    """
    if start in STARTS:
        return np.full((size, size, 3), 0.5 if start == "grey" else 0.0, np.float32)
    try:
        with Image.open(Path(start)) as photo:
            upright = ImageOps.exif_transpose(photo).convert("RGB")
            fitted = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
            return np.asarray(fitted, np.float32) / np.float32(255)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise AtlasError(
            f"{start}: expected a photo (JPEG, PNG, WebP), received a file that is none: {error}"
        ) from error
