"""How fast this machine is, as it was measured once and kept for it: see ``ascent.calibration``."""

import math
from collections.abc import Mapping
from pathlib import Path

from atlas.canonical import digest
from atlas.files import recall, remember
from atlas.processor import kind
from atlas.resources import cache_folder
from atlas.spec.pace import GUESSED_SPEED, TIMED, Pace, at_speed, calibrated

FORMAT = 1


def keep(timed: Mapping[str, Mapping[str, float]]) -> None:
    """Keep what was measured, by arithmetic and kind of work."""
    remember(_file(), {"machine": kind(), "seconds": {one: dict(kinds) for one, kinds in timed.items()}})


def measured() -> dict[str, Pace]:
    """The pace of a core by arithmetic, in seconds; empty where this machine was never measured."""
    found = (recall(_file()) or {}).get("seconds")
    if not isinstance(found, dict):
        return {}
    return {one: calibrated(timed) for one, timed in found.items() if _is_whole(timed)}


def pace(arithmetic: str) -> Pace:
    """The pace of a core in one arithmetic, a guess where it was never measured."""
    found = measured()
    return found.get(arithmetic) or found.get("fast") or at_speed(GUESSED_SPEED)


def _is_whole(timed: object) -> bool:
    """Whether there is a time of each kind of work."""
    return isinstance(timed, dict) and all(
        isinstance(timed.get(name), float) and 0 < timed[name] < math.inf for name in TIMED
    )


def _file() -> Path:
    """Users whose home is on several machines have a file for each kind."""
    return cache_folder() / "machines" / f"{digest(kind())[:16]}-v{FORMAT}.json"
