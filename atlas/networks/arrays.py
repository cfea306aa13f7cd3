"""Weights by name in a safetensors file: ``<layer>/<variable>``, whole or as 8 bit with a minimum and a scale.

Layers have their stable names (``block1_conv1/kernel``, ``conv2d_3/kernel``, ``outer.inner/bias``), variables Keras's
own (``kernel``, ``bias``, ``gamma``, ``beta``, ``moving_mean``, ``moving_variance``). A uint8 tensor stands for
``minimum + scale * byte``; its two numbers are in the metadata under ``quantization``, as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atlas.errors import WeightsError


@dataclass(frozen=True)
class Quantized:
    """An array as 8 bit: ``minimum + scale * values``, where ``values`` is uint8 of the array's shape."""

    values: np.ndarray
    minimum: float
    scale: float

    def array(self) -> np.ndarray:
        """The array, float32."""
        return self.values.astype(np.float32) * np.float32(self.scale) + np.float32(self.minimum)


def encode(tensors: Mapping[str, np.ndarray | Quantized]) -> bytes:
    """The bytes of a safetensors file with those tensors: the same bytes for the same tensors."""
    arrays: dict[str, np.ndarray] = {}
    numbers: dict[str, tuple[float, float]] = {}
    for name, tensor in sorted(tensors.items()):
        if isinstance(tensor, Quantized):
            arrays[name] = np.asarray(tensor.values, order="C")
            numbers[name] = (tensor.minimum, tensor.scale)
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
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: expected a safetensors file, received a damaged one ({error}); fetch it again"
        ) from error
