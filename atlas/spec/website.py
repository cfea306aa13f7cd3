"""What the pages are told beside the pictures: how they look, where they will lie, and a user's own notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from atlas.spec import marks
from atlas.spec.facts import NetworkFacts
from atlas.spec.frozen import Frozen
from atlas.spec.problems import Problems, no_layer


class Note(Frozen):
    """A user's own name and remark for a channel."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Your own name for the channel, of few words; none when left out."
    )
    text: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        None, description="A remark; none when left out."
    )


@dataclass(frozen=True)
class Website:
    """What the pages are told, checked. ``notes`` are by layer and channel; ``logo`` and ``templates`` are paths."""

    base_url: str | None = None
    accent: str | None = None
    footer: str | None = None
    pictures: Literal["lossless", "lossy"] = "lossless"
    zip: bool = False
    shelf: bool = True
    logo: Path | None = None
    templates: Path | None = None
    notes: Mapping[str, Mapping[int, Note]] = field(default_factory=dict)


def read_notes(path: Path, facts: NetworkFacts) -> dict[str, dict[int, Note]]:
    """The notes of a YAML file, ``layer: {channel: name}`` or ``layer: {channel: {name: ..., text: ...}}``.

    Raises: ConfigError with every problem, each ``file:line:column: key: expected ..., received ...``.
    """
    document = marks.load(path)
    problems = Problems(path, document)
    found: dict[str, dict[int, Note]] = {}
    if document.data is not None and not isinstance(document.data, dict):
        problems.note((), "expected a map of layers, each a map of channels, received something else")
        raise problems.error()
    for name, given in (document.data or {}).items():
        layer = facts.layer(name)
        if layer is None:
            problems.note((name,), no_layer(name, facts))
        elif not isinstance(given, dict):
            problems.note((name,), "expected a map of channels, received something else")
        else:
            found[name] = _notes(name, given, layer.channels, problems)
    if problems:
        raise problems.error()
    return found


def _notes(layer: str, given: Mapping[str, Any], depth: int, problems: Problems) -> dict[int, Note]:
    found = {}
    for key, value in given.items():
        if not (key.isascii() and key.isdecimal() and int(key) < depth):
            problems.note((layer, key), f"expected a channel from 0 to {depth - 1}, received {key!r:.40}")
            continue
        note = problems.validate(Note, {"name": value} if isinstance(value, str) else value, (layer, key))
        if note:
            found[int(key)] = note
    return found
