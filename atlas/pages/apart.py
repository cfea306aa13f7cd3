"""Page writers: processes of their own, none of which writes or lives on once its command has ended."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from atlas.errors import SiteError
from atlas.pages.alone import in_common
from atlas.processes import KilledError, spread

T = TypeVar("T")
R = TypeVar("R")


def apart(output: Path, function: Callable[[T], R], items: Sequence[T], count: int) -> Iterator[R]:
    """What ``function`` makes of each item, in no order, by ``count`` page writers that hold ``output`` in common.

    ``function`` is sent to each once. Raises SiteError when a page writer is killed.
    """
    try:
        yield from spread(function, items, count, partial(in_common, output))
    except KilledError as error:
        raise SiteError(
            f"{output}: expected page writers that live, one was killed: is there too little memory? Build again "
            "to go on"
        ) from error
