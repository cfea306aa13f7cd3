"""Manners in a process of somebody else's: what a function of atlas finds there is there when it returns."""

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from atlas.runtime import settled, without_switches

P = ParamSpec("P")
T = TypeVar("T")

_one_at_a_time = threading.RLock()  # networks and kernels are kept and shared; TensorFlow has one thread as it is


def guest(function: Callable[P, T]) -> Callable[P, T]:
    """The function, which computes under the settings of a build and leaves the caller's as they were.

    Threads that call such functions at once wait for one another. Raises besides: AtlasError for a setting of the
    process under which other pictures would come out, see ``atlas.runtime.settled``.
    """

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        with _one_at_a_time, without_switches(), _pillow_warns_again(), settled():
            return function(*args, **kwargs)

    return called


@contextlib.contextmanager
def _pillow_warns_again() -> Iterator[None]:
    """After the block warnings of Pillow are filtered as before it: reading images silences them for good.

    The one filter is taken out, not all put back: other threads may have added some meanwhile.
    """
    kept = list(warnings.filters)
    try:
        yield
    finally:
        for one in [one for one in warnings.filters if one not in kept]:
            if one[3] is not None and "PIL" in str(getattr(one[3], "pattern", one[3])):  # the module that warns
                warnings.filters.remove(one)  # type: ignore[attr-defined]
