"""Kernels of convolutions as 8 bits, rounded so that what a layer makes of natural pictures changes least.

- A few values lie so far out that they alone would decide the range of their output channel, at 34 deviations in one
  of VGG16's. They are kept as they are, and the range is that of all others.
- To round each value to its nearest level errs least in the kernel, not in the layer. What a layer reads is smooth,
  and positive behind a ReLU: errors that add up over a patch, or over all input channels, are seen, and errors that
  cancel are not. So values go one level up or down while that lowers a cost: the errors squared, and the squares of
  their sums over each input channel and over all.
- At last the minimum moves so that an output channel's errors add up to nothing.

No picture takes part, so the bytes depend on the kernel alone.
"""

import numpy as np

from atlas.networks.arrays import Quantized

FAR = 5.0  # from the mean of an output channel's values, in deviations: kept as it is
PATCH = 5.0  # weight of the squared sum over an input channel's values
WHOLE = 0.5  # weight of the squared sum over all values
PASSES = 3  # over all input channels, at most


def eight_bits(kernel: np.ndarray) -> Quantized:
    """A kernel ``(h, w, in, out)`` with a minimum and a scale for each output channel."""
    height, width, inputs, outputs = kernel.shape
    values = kernel.astype(np.float64).reshape(height * width, inputs, outputs)
    mean = values.mean((0, 1))
    far = np.abs(values - mean) > FAR * values.std((0, 1))
    near = np.where(far, mean, values)
    low, high = near.min((0, 1)), near.max((0, 1))
    minimum, scale = _short(low), _short((high - low) / 255)
    levels = _descend(values, minimum, scale, far)
    errors = np.where(far, 0.0, minimum + scale * levels - values)
    minimum = _short(minimum - errors.sum((0, 1)) / (~far).sum((0, 1)))
    (places,) = far.reshape(-1).nonzero()
    return Quantized(
        levels.astype(np.uint8).reshape(kernel.shape),
        minimum.tolist(),
        scale.tolist(),
        places.tolist(),
        _short(kernel.reshape(-1)[places]).tolist(),
    )


def cost(errors: np.ndarray) -> np.ndarray:
    """What errors ``(taps, in, out)`` cost each output channel, ``(out,)``."""
    patches = errors.sum(0)
    return np.asarray((errors**2).sum((0, 1)) + PATCH * (patches**2).sum(0) + WHOLE * patches.sum(0) ** 2)


def _short(values: np.ndarray) -> np.ndarray:
    """The same float32 values, as the decimal numbers that are shortest in JSON, float64."""
    return np.array([float(str(value)) for value in values.astype(np.float32)])


def _descend(values: np.ndarray, minimum: np.ndarray, scale: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The levels ``(taps, in, out)``, 0 to 255, that the descent ends with; values that are ``far`` have no error.

    Of an input channel, the value that gains most goes first.
    """
    levels: np.ndarray = np.clip(np.round((values - minimum) / scale), 0, 255)
    errors = np.where(far, 0.0, minimum + scale * levels - values)
    total = errors.sum((0, 1))
    every = np.arange(values.shape[2])
    for _ in range(PASSES):
        moved = False
        for own, level, fixed in zip(errors.swapaxes(0, 1), levels.swapaxes(0, 1), far.swapaxes(0, 1), strict=True):
            for _ in range(len(own)):
                slope = own + PATCH * own.sum(0) + WHOLE * total
                step = -np.sign(slope)
                change = 2 * step * slope * scale + (1 + PATCH + WHOLE) * scale**2
                change[fixed | (level + step < 0) | (level + step > 255)] = np.inf
                best = change.argmin(0)
                (gain,) = (change[best, every] < 0).nonzero()
                if not len(gain):
                    break
                moved, taps = True, best[gain]
                steps = step[taps, gain]
                level[taps, gain] += steps
                own[taps, gain] += steps * scale[gain]
                total[gain] += steps * scale[gain]
        if not moved:
            break
    return levels
