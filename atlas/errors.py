"""The errors a user can meet. Each sentence says what was expected, what was received, where, and what to do."""

import difflib
from collections.abc import Iterable


class AtlasError(Exception):
    """A mistake or a misfortune that one clear sentence explains. The command line prints it and exits with 2."""


class ConfigError(AtlasError):
    """What is wrong in a configuration, every problem at once, one line each: ``file:line:column: key: ...``."""

    def __init__(self, problems: list[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class NetworkError(AtlasError):
    """A network, a layer or a channel that does not exist or cannot be looked at."""


class WeightsError(AtlasError):
    """Weights that cannot be had: not downloaded, damaged, of other shapes, or not embedded."""


class StoreError(AtlasError):
    """An entry or a record that cannot be read or written."""


class DamagedError(StoreError):
    """An entry that was read and is not whole: not one that could not be read this time."""


class SiteError(AtlasError):
    """An output folder that cannot be written, or that is not ours to write."""


def nearest(word: str, words: Iterable[str]) -> str:
    """``; did you mean ...?`` with the nearest of some words, or nothing when none is near: the end of a sentence."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""
