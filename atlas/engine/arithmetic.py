"""What ``arithmetic: auto`` means for an atlas: chosen once, before its first picture, and held from then on."""

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from atlas.engine.devices import gpus
from atlas.errors import AtlasError
from atlas.processor import AMPERE, BFLOAT16, has_bfloat16, usual
from atlas.spec.config import Compute
from atlas.spec.request import Request

ASK = ("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")  # a line such as 9.0 for each GPU


def is_native(device: str) -> bool:
    """Whether this machine computes bfloat16 natively on a ``device``, ``cpu``, ``gpu`` or ``auto``."""
    return _on_gpus() if device != "cpu" and gpus() else has_bfloat16()


def chosen(request: Request, before: Mapping[str, Any] | None, has_pictures: Callable[[], bool], alone: bool) -> str:
    """What ``auto`` means for an atlas: as its record ``before`` says, ``fast`` where it has pictures without one, else
    what is usual on this machine.

    Where several machines share the work, which is where it is not ``alone``, on a Dask cluster and in an object store,
    it is ``fast``: they may be of different kinds.
    """
    named = {name for layer in request.layers for name, one in layer.recipes.items() if one.arithmetic == "auto"}
    if not named:
        return "fast"
    if before is not None:
        kept = [layer.get("recipes", {}) for layer in before.get("layers", ())]
        taken = {recipes[name].get("arithmetic") for recipes in kept for name in named & recipes.keys()}
        return "bfloat16" if "bfloat16" in taken else "fast"
    shared = not alone or request.compute.backend == "dask" or "://" in request.store
    if shared or usual(is_native(request.compute.device)) == "fast" or has_pictures():
        return "fast"
    return "bfloat16"


def check_native(compute: Compute, recipes: list[str]) -> None:
    """Raise AtlasError where pictures of some ``recipes`` in bfloat16 are to be made and this machine has none.

    Workers of a Dask cluster say so themselves.
    """
    if recipes and compute.backend != "dask" and not is_native(compute.device):
        what = f"recipe {recipes[0]}" if len(recipes) == 1 else f"recipes {', '.join(recipes)}"
        raise AtlasError(
            f"{what}: expected a machine that computes bfloat16, as this atlas is computed, found one whose processor "
            f"has neither {' nor '.join(sorted(BFLOAT16))}; build on one that has, or write arithmetic: fast into each "
            "recipe, which makes its pictures anew"
        )


def _on_gpus() -> bool:
    """Whether every GPU is of a generation that has it."""
    try:
        told = subprocess.run(ASK, capture_output=True, text=True, timeout=20, check=True).stdout.split()
        return bool(told) and all(tuple(map(int, one.split("."))) >= AMPERE for one in told)
    except (OSError, subprocess.SubprocessError, ValueError):
        return False
