"""Parameterizations: how the numbers that ascend become a picture, and where they start.

Each has the same parts: ``shape`` of one image's parameters, ``start`` (numpy, from the job's own generator), ``paint``
and ``constrain`` (TensorFlow, in the graph). ``planes`` are 3, or 1 for a picture in grey: what a network of one input
channel cannot see is nothing to ascend. Nothing in them looks at another image of the batch. Nor is a root or a
division done on one number per image: TensorFlow rounds those otherwise when there are enough of them to fill a vector
of the processor, and bytes would depend on the size of the batch. So such numbers are broadcast first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import tensorflow as tf

from atlas.ascent.starts import start_picture
from atlas.networks.cut import LUMINANCE
from atlas.spec.recipe import Recipe
from atlas.spec.slots import Fourier, Maco, Pixel

# Colours of natural images: the Cholesky-like factor of ImageNet's colour covariance that Lucid uses
# (Olah et al. 2017; lucid/optvis/param/color.py), over its largest column norm.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32) / np.float32(0.46195)

LIGHT = float(COLOURS[:, 0] @ np.array(LUMINANCE, np.float32))  # of the first of these colours, which is almost grey

LANES = 16  # of the widest vectors: so many numbers fill one, for as many images as there are
START_DEVIATION = 0.01  # of a Fourier start's coefficients, as in Lucid


@dataclass(frozen=True)
class PixelPicture:
    """The parameters are the picture: ``(size, size, planes)``, kept in its range after every update.

    That is [0, 1], or [-1, 1] where the network is fed those numbers themselves: going there and back would round.
    """

    size: int
    signed: bool = False
    planes: int = 3

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's parameters."""
        return (self.size, self.size, self.planes)

    def start(self, start: str, generator: np.random.Generator) -> np.ndarray:
        """The parameters of a start: the start picture itself."""
        picture = in_planes(start_picture(start, self.size, generator), self.planes)
        return 2 * picture - 1 if self.signed else picture

    def paint(self, parameters: Any) -> Any:
        """The picture ``(n, size, size, 3)`` in its range: the parameters themselves."""
        return in_colours(parameters)

    def constrain(self, parameters: Any) -> Any:
        """The parameters after an update, clipped to the picture's range."""
        return tf.clip_by_value(parameters, -1.0 if self.signed else 0.0, 1.0)


@dataclass(frozen=True)
class FourierPicture:
    """The parameters are the picture's spectrum, real and imaginary parts side by side.

    Their shape is ``(planes, size, size // 2 + 1, 2)``.

    The spectrum is weighed by ``1 / frequency ** power``, turned into a picture, given the colours of natural images
    and squashed by a sigmoid. With ``contrast``, the values before the sigmoid have no mean colour and exactly that
    deviation: under plain gradient ascent the lowest frequencies run away and the picture goes pale.
    """

    size: int
    power: float
    decorrelate: bool
    contrast: float | None
    planes: int = 3
    saturation: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's parameters."""
        return (self.planes, self.size, self.size // 2 + 1, 2)

    @property
    def colours(self) -> np.ndarray | None:
        """The colour directions ``(3, 3)``, those besides light weighed by ``saturation``; None for plain colours."""
        return COLOURS * np.array([1, self.saturation, self.saturation], np.float32) if self.decorrelate else None

    @cached_property
    def weights(self) -> np.ndarray:
        """Weight of each frequency, ``(size, size // 2 + 1) float32``; 0 for the mean colour with ``contrast``."""
        frequency = np.maximum(np.hypot(*frequencies(self.size)), 1 / self.size)
        weights = self.size / frequency**self.power
        if self.contrast is not None:
            weights[0, 0] = 0.0
        return np.asarray(weights, np.float32)

    def start(self, start: str, generator: np.random.Generator) -> np.ndarray:
        """The parameters of a start: small normal noise, or those that paint a flat colour or a photo."""
        if start == "noise":
            noise = generator.standard_normal((2, *self.shape[:-1]), np.float32)
            return np.ascontiguousarray(np.moveaxis(np.float32(START_DEVIATION) * noise, 0, -1))
        weights = np.where(self.weights == 0, np.inf, self.weights)
        picture = in_planes(start_picture(start, self.size, generator), self.planes)
        spectrum = 4 * spectrum_of(picture, self.colours) / weights
        return np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32)

    def paint(self, parameters: Any) -> Any:
        """The picture ``(n, size, size, 3)`` in (0, 1) from parameters ``(n, planes, size, size // 2 + 1, 2)``."""
        spectrum = as_complex(parameters * np.repeat(self.weights[..., None] / 4, 2, axis=-1))
        values = coloured(tf.signal.irfft2d(spectrum, [self.size, self.size]), self.colours)
        return in_colours(tf.sigmoid(values if self.contrast is None else at_contrast(values, self.contrast)))

    def constrain(self, parameters: Any) -> Any:
        """The parameters after an update: any value is fine."""
        return parameters


@dataclass(frozen=True)
class MacoPicture:
    """The parameters are the phases of the picture's spectrum, ``(planes, size, size // 2 + 1)``.

    Its ``magnitude`` is fixed. It falls as 1 / frequency ** ``power``, has ``axes`` times as much energy along the axes
    as along the diagonals, as pictures of a world with horizons and trunks have (Torralba & Oliva 2003), and is scaled
    so that the values before the colours have about the deviation ``contrast``.
    """

    size: int
    power: float
    axes: float
    decorrelate: bool
    contrast: float
    planes: int = 3

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's parameters."""
        return (self.planes, self.size, self.size // 2 + 1)

    @cached_property
    def magnitude(self) -> np.ndarray:
        """Magnitude of each frequency, ``(size, size // 2 + 1) float32``; 0 for the mean colour."""
        down, across = frequencies(self.size)
        tilt = (np.sqrt(self.axes) - 1) / (np.sqrt(self.axes) + 1)
        angle = np.arctan2(np.abs(down), across)
        found = (1 + tilt * np.cos(4 * angle)) / np.maximum(np.hypot(down, across), 1 / self.size) ** self.power
        found[0, 0] = 0.0
        counted = np.full(found.shape, 2.0)  # each stands for its mirror image as well
        counted[:, [0, -1]] = 0.5  # but at these edges mirror images meet, and of random phases half the energy is left
        deviation = np.sqrt((counted * found**2).sum()) / self.size**2
        return np.asarray(found * self.contrast / deviation, np.float32)

    def start(self, start: str, generator: np.random.Generator) -> np.ndarray:
        """The parameters of a start: random phases, or a photo's."""
        if start == "noise":
            return generator.uniform(-np.pi, np.pi, self.shape).astype(np.float32)
        picture = in_planes(start_picture(start, self.size, generator), self.planes)
        spectrum = spectrum_of(picture, COLOURS if self.decorrelate else None)
        return np.asarray(np.angle(spectrum), np.float32)

    def paint(self, parameters: Any) -> Any:
        """The picture ``(n, size, size, 3)`` in (0, 1) from parameters ``(n, planes, size, size // 2 + 1)``."""
        spectrum = tf.complex(tf.cos(parameters) * self.magnitude, tf.sin(parameters) * self.magnitude)
        values = coloured(tf.signal.irfft2d(spectrum, [self.size, self.size]), COLOURS if self.decorrelate else None)
        return in_colours(tf.sigmoid(values))

    def constrain(self, parameters: Any) -> Any:
        """The parameters after an update: any angle is fine."""
        return parameters


Picture = PixelPicture | FourierPicture | MacoPicture


def parameterization(recipe: Recipe, size: int, grey: bool = False) -> Picture:
    """The parameterization that a recipe asks for, for pictures of ``size`` pixels, in colours or in grey."""
    slot, planes = recipe.parameterization, 1 if grey else 3
    match slot:
        case Pixel():
            return PixelPicture(size, recipe.input == "signed", planes)
        case Fourier():
            return FourierPicture(size, slot.power, slot.decorrelate, slot.contrast, planes, slot.saturation)
        case Maco():
            return MacoPicture(size, slot.power, slot.axes, slot.decorrelate, slot.contrast, planes)


def frequencies(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The frequencies of a real spectrum down ``(size, 1)`` and across ``(1, size // 2 + 1)``, in cycles per pixel."""
    return np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]


def in_planes(picture: np.ndarray, planes: int) -> np.ndarray:
    """A picture ``(h, w, 3) float32`` as it is, or its luminance ``(h, w, 1)`` for one plane."""
    return picture if planes == 3 else (picture @ np.array(LUMINANCE, np.float32))[..., None]


def in_colours(picture: Any) -> Any:
    """A picture ``(n, h, w, 3)`` as it is, or one in grey ``(n, h, w, 1)`` as red, green and blue."""
    return picture if picture.shape[3] == 3 else tf.repeat(picture, 3, axis=3)


def coloured(values: Any, colours: np.ndarray | None) -> Any:
    """Values ``(n, 3, h, w)`` along the columns of ``colours (3, 3)``, or plain ones, as ``(n, h, w, 3)``; those of one
    plane ``(n, 1, h, w)`` as light ``(n, h, w, 1)``."""
    values = tf.transpose(values, [0, 2, 3, 1])
    if values.shape[3] == 1:
        return values if colours is None else values * LIGHT
    if colours is None:
        return values
    count, height, width, _ = tf.unstack(tf.shape(values))
    flat = tf.reshape(values, [count, height * width, 3])
    # A product for each image: one product for the whole batch rounds differently with the number of images.
    mixed = tf.matmul(flat, tf.broadcast_to(colours, [count, 3, 3]), transpose_b=True)
    return tf.ensure_shape(tf.reshape(mixed, [count, height, width, 3]), values.shape)


def as_complex(parts: Any) -> Any:
    """Complex numbers ``(...)`` from their parts ``(..., 2) float32``. Nothing is copied, neither here nor back."""

    def joined(parts: Any) -> Any:
        return tf.bitcast(parts, tf.complex64), lambda upstream: tf.bitcast(upstream, tf.float32)

    return cast(Callable[[Any], Any], tf.custom_gradient(joined))(parts)


def at_contrast(values: Any, contrast: float) -> Any:
    """Values ``(n, h, w, 3)`` of mean zero with that deviation in each image; the gradient by hand, in few passes."""

    def scaled(values: Any) -> Any:
        shape = tf.shape(values)
        flat = tf.reshape(values, [shape[0], -1])
        power = tf.reduce_mean(tf.square(flat), axis=1, keepdims=True)
        lanes = tf.broadcast_to(power, [shape[0], LANES]) + 1e-8  # no lone roots and divisions
        factor = (contrast / tf.sqrt(lanes))[:, :1]  # (n, 1)

        def back(upstream: Any) -> Any:
            given = tf.reshape(upstream, [shape[0], -1])
            along = tf.reduce_mean(given * flat, axis=1, keepdims=True) * tf.square(factor) * (1 / contrast**2)
            return tf.ensure_shape(tf.reshape((given - flat * along) * factor, shape), values.shape)

        return tf.ensure_shape(tf.reshape(flat * factor, shape), values.shape), back

    return cast(Callable[[Any], Any], tf.custom_gradient(scaled))(values)


def spectrum_of(picture: np.ndarray, colours: np.ndarray | None) -> np.ndarray:
    """The spectrum ``(c, h, w // 2 + 1)`` of a picture ``(h, w, c)``, c 3 or 1, before its sigmoid and its colours."""
    within = np.clip(picture, 0.02, 0.98)
    values = np.log(within / (1 - within))  # the sigmoid undone
    if colours is not None:
        values = values / LIGHT if values.shape[2] == 1 else values @ np.linalg.inv(colours).T
    return np.fft.rfft2(values.transpose(2, 0, 1))
