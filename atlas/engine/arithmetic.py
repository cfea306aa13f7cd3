"""What ``arithmetic: auto`` means for an atlas: chosen once, before its first picture, and held from then on."""

from collections.abc import Callable, Mapping
from typing import Any

from atlas.engine.workers import on_cores, visible_gpus
from atlas.errors import AtlasError
from atlas.processor import NO_BFLOAT16, has_bfloat16, usual
from atlas.spec.config import Compute
from atlas.spec.request import Request

ARITHMETIC = "arithmetic"  # the key of a record that says what auto means, where it is bfloat16


def chosen(request: Request, before: Mapping[str, Any] | None, has_pictures: Callable[[str], bool], alone: bool) -> str:
    """What ``auto`` means for an atlas: ``bfloat16`` or ``fast``.

    Its record ``before`` decides where there is one; then pictures that it has in one of the two, ``fast`` first; then
    what is usual on this machine. Where several machines share the work, which is where it is not ``alone``, on a Dask
    cluster and in an object store, it is ``fast``: they may be of different kinds. So it is on GPUs, where 16 bits were
    never measured.
    """
    if not has_auto(request):
        return "fast"
    if before is not None:
        return str(before.get(ARITHMETIC, "fast"))
    shared = not alone or request.compute.backend == "dask" or "://" in request.store
    if shared or has_pictures("fast"):
        return "fast"
    return "bfloat16" if has_pictures("bfloat16") else usual(_is_native(request.compute))


def has_auto(request: Request) -> bool:
    """Whether some recipe names no arithmetic."""
    return any(one.arithmetic == "auto" for layer in request.layers for one in layer.recipes.values())


def check_native(compute: Compute, recipes: list[str]) -> None:
    """Raise AtlasError where pictures of some ``recipes`` in bfloat16 are to be made and this machine's processor has
    none. Workers on GPUs and of a Dask cluster say so themselves."""
    if recipes and on_cores(compute) and not has_bfloat16():
        what = f"recipe {recipes[0]}" if len(recipes) == 1 else f"recipes {', '.join(recipes)}"
        raise AtlasError(
            f"{what}: {NO_BFLOAT16}; build on such a machine, or write arithmetic: fast into the recipe, which makes "
            "its pictures anew"
        )


def _is_native(compute: Compute) -> bool:
    """Whether workers of this machine are on cores that have bfloat16."""
    return has_bfloat16() and not visible_gpus(compute)
