"""Why Keras cannot open a file, in one sentence: the part that it refuses, its own reason, and what to do."""

import re
from pathlib import Path
from typing import Any

from atlas.networks.archive import Archive, called, parts, too_old

LAST = "Exception encountered: "  # what comes behind it is the reason; before it Keras shows the whole configuration
TAILS = (
    *("Full object config:", "Full config:", "\n\nconfig=", "config={", "Arguments received by "),
    *("List of objects that could not be loaded", "Make sure custom classes"),
)
LONGEST = 400  # characters of a reason


def refusal(path: Path, found: Archive, error: Exception) -> str:
    """The sentence for a file that Keras raises ``error`` at, whatever that is."""
    import keras

    if found.old:
        return too_old(path, found)
    here = keras.__version__
    part, error = _refused(found.config) or (None, error)
    of = f", of which it refuses the {called(part)}" if part else ""
    saved = f" that Keras {found.version} saved" if found.version else ""
    return (
        f"{path}: expected a network that Keras {here} can open, received one{saved}{of}: {reason(error)}; "
        f"{_advice(found.version, here)}"
    )


def reason(error: Exception) -> str:
    """Keras's own reason out of an exception of its: one line, without the configurations that it quotes."""
    text = str(error).rpartition(LAST)[2]
    for tail in TAILS:
        text = text.partition(tail)[0]
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split()).rstrip(" .:;")  # Keras writes some in bold
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
    return f"{type(error).__name__} {text}".rstrip() if isinstance(error, KeyError) or not text else text


def _refused(config: dict[str, Any]) -> tuple[dict[str, Any], Exception] | None:
    """The innermost part of a configuration that Keras cannot make by itself, with what it raises at it; None where
    the parts can be made, and it is only their order or their weights that do not fit."""
    import keras

    for part in parts(config):
        if part is not config and part.get("module"):
            try:
                keras.saving.deserialize_keras_object(part, safe_mode=True)
            except Exception as error:  # whatever a layer's constructor raises
                return part, error
    return None


def _advice(version: str, here: str) -> str:
    if _numbers(version) > _numbers(here):
        return f"update Keras: pip install 'keras>={version}'"
    if version and version != here:
        return f"replace that part with Keras {version} (pip install keras=={version}) and save it again"
    return "replace that part and save it again"


def _numbers(version: str) -> tuple[int, ...]:
    """``3.15.1`` as numbers, for comparing; nothing for what is no version."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
