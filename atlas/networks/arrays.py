"""Weights by name in a safetensors file: ``<layer>/<variable>``, whole or as 8 bit with a minimum and a scale.

Layers have their stable names (``block1_conv1/kernel``, ``conv2d_3/kernel``, ``outer.inner/bias``), variables Keras's
own (``kernel``, ``bias``, ``gamma``, ``beta``, ``moving_mean``, ``moving_variance``). A uint8 tensor stands for
``minimum + scale * byte``. Both are in the metadata under ``quantization``, as JSON: a number each, or a list with a
number for each place on the last axis, which is a kernel's output channel. Two more lists may follow: places in the
flattened tensor, and the values there, which no byte stands for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atlas.errors import WeightsError


@dataclass(frozen=True)
class Quantized:
    """An array as 8 bit: ``minimum + scale * values``, but for a few values that are kept as they are.

    ``values`` is uint8 of the array's shape; ``minimum`` and ``scale`` are numbers, or a list with one for each place
    on the last axis. ``whole`` are the values at ``places``, indices into the flattened array.
    """

    values: np.ndarray
    minimum: float | list[float]
    scale: float | list[float]
    places: list[int] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def array(self) -> np.ndarray:
        """The array, float32."""
        scale, minimum = np.asarray(self.scale, np.float32), np.asarray(self.minimum, np.float32)
        found = self.values.astype(np.float32) * scale + minimum
        found.reshape(-1)[self.places] = self.whole
        return found


def encode(tensors: Mapping[str, np.ndarray | Quantized]) -> bytes:
    """The bytes of a safetensors file with those tensors: the same bytes for the same tensors."""
    arrays: dict[str, np.ndarray] = {}
    numbers: dict[str, list[float | list[float] | list[int]]] = {}
    for name, tensor in sorted(tensors.items()):
        if isinstance(tensor, Quantized):
            arrays[name] = np.asarray(tensor.values, order="C")
            numbers[name] = [tensor.minimum, tensor.scale]
            numbers[name] += [tensor.places, tensor.whole] if tensor.places else []
        else:
            arrays[name] = np.asarray(tensor, order="C")
    return save(arrays, {"quantization": json.dumps(numbers)})


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, float32 where they were quantised.

    Raises: WeightsError when the file cannot be read or is not a whole safetensors file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            numbers = json.loads((file.metadata() or {}).get("quantization", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        return {
            name: Quantized(array, *numbers[name]).array() if name in numbers else array
            for name, array in arrays.items()
        }
    except (OSError, SafetensorError, ValueError, TypeError, IndexError) as error:
        raise WeightsError(
            f"{path}: expected a safetensors file, received a damaged one ({error}); fetch it again"
        ) from error
