"""What the eye sees in pictures ``(n, s, s, 3) uint8``, as numbers, and the views in which they are scored."""

import itertools

import numpy as np
from PIL import Image
from scipy import ndimage

FRAME = 12  # pixels of a picture's edge
AROUND = 16  # pixels of a view's surroundings
LEAST = 0.03  # share of the picture that a hole has at least
DARK, BRIGHT, FLAT, WINDOW = 8, 247, 3.0, 9
BANDS = 8  # of the spectrum, evenly spaced in the logarithm of the frequency
BINS = 4  # of a palette in each of red, green and blue

VIEWS = ("plain", "reflected", "wrapped", "0.67", "0.84", "1.2")


def views(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Six views of each picture: plain, with itself mirrored or wrapped around it, at 0.67, 0.84 and 1.2 of its side.

    A picture that is good at its own size and place alone loses in the others.
    """
    around = ((0, 0), (AROUND, AROUND), (AROUND, AROUND), (0, 0))
    return {
        "plain": pictures,
        "reflected": np.pad(pictures, around, mode="symmetric"),
        "wrapped": np.pad(pictures, around, mode="wrap"),
        **{f"{share:g}": _resized(pictures, share) for share in (0.67, 0.84, 1.2)},
    }


def fullness(pictures: np.ndarray) -> np.ndarray:
    """Edge fullness ``(n, 4)``: how much happens in the frame at the top, bottom, left and right.

    That is the mean absolute difference of neighbours in the outer FRAME pixels over that of the middle half of each
    side: 1 where the frame is as full as the middle, above where it is full of noise.
    """
    values = pictures.astype(np.float32)
    change = np.zeros(pictures.shape[:3], np.float32)
    change[:, :, 1:] += np.abs(np.diff(values, axis=2)).mean(axis=3)
    change[:, 1:] += np.abs(np.diff(values, axis=1)).mean(axis=3)
    quarter = pictures.shape[1] // 4
    middle = change[:, quarter:-quarter, quarter:-quarter].mean(axis=(1, 2))
    sides = (change[:, 1:][:, :FRAME], change[:, -FRAME:], change[:, :, 1:][:, :, :FRAME], change[:, :, -FRAME:])
    found: np.ndarray = np.stack([side.mean(axis=(1, 2)) for side in sides], axis=1) / np.maximum(middle, 1e-6)[:, None]
    return found


def in_holes(pictures: np.ndarray) -> np.ndarray:
    """The share ``(n,)`` of each picture's pixels that lie in holes.

    A hole is connected, larger than LEAST of the picture, and black (all colours below DARK), white (all above BRIGHT)
    or flat: in the window of 9 x 9 pixels around each of its pixels no colour deviates by FLAT.
    """
    return np.array([_in_holes(picture) for picture in pictures])


def _in_holes(picture: np.ndarray) -> float:
    values = picture.astype(np.float64)
    mean = ndimage.uniform_filter(values, (WINDOW, WINDOW, 1))
    variance = np.maximum(ndimage.uniform_filter(values**2, (WINDOW, WINDOW, 1)) - mean**2, 0)
    kinds = ((values < DARK).all(axis=2), (values > BRIGHT).all(axis=2), (variance < FLAT**2).all(axis=2))
    holes = np.zeros(picture.shape[:2], bool)
    for kind in kinds:
        patches, count = ndimage.label(kind)
        sizes = ndimage.sum_labels(kind, patches, np.arange(count + 1))
        holes |= (sizes > LEAST * kind.size)[patches] & kind
    return float(holes.mean())


def from_nature(pictures: np.ndarray) -> np.ndarray:
    """How far each picture's spectrum ``(n,)`` is from that of natural images, amplitude 1 / frequency, in octaves.

    The amplitude of the luminance, times the frequency, is averaged in BANDS from two cycles a side to half a cycle a
    pixel; the number is the deviation of its binary logarithm over the bands. 1 means wrong by a factor of two.
    """
    side = pictures.shape[1]
    light = pictures.mean(axis=3) - pictures.mean(axis=(1, 2, 3))[:, None, None]
    window = np.hanning(side)
    amplitude = np.abs(np.fft.fft2(light * window[:, None] * window))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    edges = np.geomspace(2 / side, 0.5, BANDS + 1)
    levels = [
        np.log2((amplitude * frequency)[:, (frequency >= low) & (frequency < high)].mean(axis=1) + 1e-9)
        for low, high in itertools.pairwise(edges)
    ]
    return np.asarray(np.std(levels, axis=0))


def colour_spread(pictures: np.ndarray) -> float:
    """How unlike the palettes of different pictures are: 0 where all have the same, 1 where no two share a colour.

    A palette is a histogram of BINS levels of each colour; the number is half the mean absolute difference of two.
    """
    cells = (pictures.astype(int) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    palettes = np.array([np.bincount(cell.ravel(), minlength=BINS**3) / cell.size for cell in cells])
    pairs = np.abs(palettes[:, None] - palettes[None]).sum(axis=2) / 2
    return float(pairs[np.triu_indices(len(pictures), 1)].mean())


def _resized(pictures: np.ndarray, share: float) -> np.ndarray:
    side = round(pictures.shape[1] * share)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in pictures]
    )
