"""What an ascent begins from: noise, a flat colour, or a photo."""

from pathlib import Path

import numpy as np
from PIL import Image

from atlas.images.loader import open_photo

# Mean colour of ImageNet in BGR that VGG's own preprocessing takes off, in [0, 255] (Simonyan & Zisserman 2014).
CAFFE_MEANS = np.array([103.939, 116.779, 123.68], np.float32)
TRACE = 0.0025  # of noise in `grey-noise`, each way
FLAT = {"grey": 0.5, "black": 0.0}


def start_picture(start: str, size: int, generator: np.random.Generator) -> np.ndarray:
    """A start picture ``(size, size, 3) float32``, in [0, 1] but for ``noise-caffe``, which lies far outside.

    Noise is uniform and of 8 bits; a photo is cropped to a square. Raises AtlasError when the photo cannot be read.
    """
    shape = (size, size, 3)
    if start in FLAT:
        return np.full(shape, FLAT[start], np.float32)
    if start == "grey-noise":
        return np.float32(0.5) + generator.uniform(-TRACE, TRACE, shape).astype(np.float32)
    if start in ("noise", "noise-caffe"):
        noise = generator.integers(0, 256, shape).astype(np.float32)
        if start == "noise":
            return noise / np.float32(255)
        signed = noise[..., ::-1] - CAFFE_MEANS  # what VGG's preprocessing gives
        return (signed + np.float32(1)) / np.float32(2)
    return photo(Path(start), size)


def photo(path: Path, size: int) -> np.ndarray:
    """A photo ``(size, size, 3) float32 in [0, 1]``, upright, its middle cropped to a square. Raises AtlasError."""
    return open_photo(path, size).astype(np.float32) / np.float32(255)


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """A picture ``(h, w, c) float32`` at another size, bicubic; values may leave its range a little."""
    channels = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(picture, -1, 0)]
    return np.stack([np.asarray(one.resize((size, size), Image.Resampling.BICUBIC)) for one in channels], axis=-1)
