"""Weights in HDF5 files, read as plain data: never a model, never anything that lies outside the file."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from atlas.errors import WeightsError
from atlas.networks.graph import inner

Pair = tuple[str, Any, Any]
"""A weight's name ``<layer>/<variable>``, its Keras variable, and the dataset in the file (None: the file has none)."""

DAMAGED = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises at altered bytes. The format has no checksum of its own: altered values are other weights."""


def check_links(file: Path | io.BytesIO, where: Path) -> None:
    """Refuse an HDF5 file that is damaged, or that holds anything but groups and plain arrays.

    Soft and external links, external storage and virtual datasets reach for other data than the file shows.

    Raises: WeightsError; ``where`` is the path it names.
    """
    try:
        with open_file(file, where) as opened:
            for name, found in _odd(opened):
                raise WeightsError(f"{where}: expected plain arrays, received {found} at {name}; do not trust the file")
    except DAMAGED as error:
        raise WeightsError(
            f"{where}: expected a file of weights, received a damaged one ({error}); fetch or save it again"
        ) from error


def pairs(opened: Any, model: Any, where: Path) -> Iterator[Pair]:
    """Each weight of a model with the dataset of an open HDF5 file that holds it.

    Reads Keras 3's ``.weights.h5`` (``layers/conv2d_3/vars/0``, numbered by class in the order of the model's layers)
    and the older layout of keras.applications (``layer_names``, ``weight_names``; in the order of the layers that have
    weights, so a class head at the end may be there or not).

    Raises: WeightsError when it is neither.
    """
    group = opened.get("model_weights", opened)
    if "layer_names" in group.attrs or "layer_names0" in group.attrs:
        return _in_order(group, model)
    if "layers" in group:
        return _by_class(group, model, "")
    raise WeightsError(
        f"{where}: expected weights as Keras saves them, with layers or layer_names, received an HDF5 file of "
        f"{', '.join(sorted(group)[:5]) or 'nothing'}; save them with model.save_weights"
    )


def open_file(file: Path | io.BytesIO, where: Path) -> Any:
    """An HDF5 file, open for reading. Raises WeightsError when it is none, or a damaged one."""
    import h5py

    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise WeightsError(
            f"{where}: expected an HDF5 file, received a damaged or another one ({error}); fetch it again"
        ) from error


def _odd(opened: Any) -> Iterator[tuple[str, str]]:
    """What in a file is not a plain group or array, with its name."""
    import h5py

    stack, seen = [opened], set()
    while stack:
        group = stack.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:  # a hard link back up
            continue
        seen.add(address)
        for name in group:
            link, place = group.get(name, getlink=True), f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                yield place, "a link"
                continue
            found = group[name]
            if isinstance(found, h5py.Group):
                stack.append(found)
            elif not isinstance(found, h5py.Dataset):
                yield place, "a named type"
            elif found.is_virtual or found.external:
                yield place, "data stored in other files"
            elif found.dtype.kind not in "fiub" and not _is_bfloat16(found):
                yield place, f"data of type {found.dtype}"


def array(dataset: Any) -> np.ndarray:
    """The values of a dataset; those of bfloat16, which are the upper halves of float32, as float32."""
    values = np.asarray(dataset[()])
    if not _is_bfloat16(dataset):
        return values
    return np.asarray((values.view(np.uint16).astype(np.uint32) << 16).view(np.float32))


def _is_bfloat16(dataset: Any) -> bool:
    """Whether a dataset is what Keras writes of bfloat16: two bytes without a type, and an attribute that says it."""
    return bool(dataset.dtype == np.dtype("V2") and dataset.attrs.get("dtype") == "bfloat16")


def _by_class(group: Any, model: Any, prefix: str) -> Iterator[Pair]:
    """Keras 3's layout: a group per layer, named by its class and counted."""
    from keras.src.utils.naming import to_snake_case  # the rule that names the groups; it has no public one

    counts: dict[str, int] = {}
    holders = group["layers"] if group is not None and "layers" in group else {}
    for layer in model.layers:
        kind = to_snake_case(type(layer).__name__)
        count = counts[kind] = counts.get(kind, -1) + 1
        holder = holders.get(kind if count == 0 else f"{kind}_{count}")
        name = prefix + layer.name
        if inner(layer):
            yield from _by_class(holder, layer, name + ".")
            continue
        own = holder["vars"] if holder is not None and "vars" in holder else {}
        for position, variable in enumerate(layer._trainable_variables + layer._non_trainable_variables):
            yield f"{name}/{variable.name}", variable, own.get(str(position))


def _in_order(group: Any, model: Any) -> Iterator[Pair]:
    """The older layout: layers that have weights, in order, each with the names of its arrays."""
    holders = [group[name] for name in _texts(group, "layer_names")]
    filled = iter([(holder, arrays) for holder in holders if (arrays := _texts(holder, "weight_names"))])
    for layer in model.layers:
        weights = layer.trainable_weights + layer.non_trainable_weights
        if not weights:
            continue
        holder, arrays = next(filled, (None, []))
        for position, variable in enumerate(weights):
            found = holder[arrays[position]] if holder is not None and position < len(arrays) else None
            yield f"{layer.name}/{variable.name}", variable, found


def _texts(group: Any, name: str) -> list[str]:
    """A list of names kept as an attribute, which long lists are split over: ``name``, or ``name0``, ``name1``, ..."""
    parts = [name] if name in group.attrs else []
    while not parts or (parts[0] != name and f"{name}{len(parts)}" in group.attrs):
        if f"{name}{len(parts)}" not in group.attrs:
            break
        parts.append(f"{name}{len(parts)}")
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
