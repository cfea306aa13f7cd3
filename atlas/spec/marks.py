"""YAML as plain data with the place of every key: what turns an error into ``file:line:column``.

Only scalars, lists and maps of YAML's core are read. Tags, anchors and aliases are refused: nothing is constructed,
nothing can grow. Duplicate keys are problems, not a silent choice.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from atlas.errors import ConfigError

LIMIT = 1_000_000  # characters; no configuration of people is longer
DEPTH = 20

Where = tuple[str | int, ...]


@dataclass
class Document:
    """The data of a YAML text; the line and column (from 1) of each key or item; and what was wrong on the way."""

    data: Any = None
    places: dict[Where, tuple[int, int]] = field(default_factory=dict)
    problems: list[tuple[tuple[int, int], str]] = field(default_factory=list)

    def place(self, where: Where) -> tuple[int, int]:
        """Line and column of a key, or of the nearest thing above it."""
        while where and where not in self.places:
            where = where[:-1]
        return self.places.get(where, (1, 1))


def of(data: Any) -> Document:
    """The document of data that was never a text: every key is known, all at one place."""
    document = Document(data)

    def walk(value: Any, where: Where) -> None:
        document.places[where] = (1, 1)
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        ):
            walk(inner, (*where, key))

    walk(data, ())
    return document


def load(path: Path) -> Document:
    """The document of a file. Raises ConfigError when it is no readable text."""
    try:
        with path.open(encoding="utf-8") as file:
            return read(file.read(LIMIT + 1))
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: expected text in UTF-8, received bytes that are not ({error.reason})"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: expected a readable file, received: {error.strerror}"]) from None


def read(text: str) -> Document:
    """Parse one YAML document. Never raises: what cannot be read stands in ``problems``."""
    document = Document()
    if len(text) > LIMIT:
        document.problems.append(((1, 1), f"expected at most {LIMIT:,} characters, received more"))
        return document
    try:
        refused = _refused(text)
        if refused:
            document.problems.append(refused)
            return document
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        document.problems.append(
            (_place(mark) if mark else (1, 1), f"expected YAML, received a text that breaks it: {said}")
        )
        return document
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error).replace("\n", " ")
        document.problems.append(((1, 1), f"expected YAML, received a text that breaks it: {said}"))
        return document
    document.data = _plain(node, (), document) if node is not None else None
    return document


def _refused(text: str) -> tuple[tuple[int, int], str] | None:
    """The first thing in a text that is not built at all, with its place. Reads no further than that."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return _place(event.start_mark), "expected plain values, received an anchor or alias; write it out"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            return _place(event.start_mark), f"expected at most {DEPTH} levels, received more"
    return None


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _plain(node: yaml.Node, where: Where, document: Document) -> Any:
    document.places.setdefault(where, _place(node.start_mark))
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_plain(item, (*where, index), document) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return _mapping(node, where, document)
    if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix("tag:yaml.org,2002:") in _SCALARS:
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, yaml.YAMLError):
            document.problems.append((_place(node.start_mark), f"expected a value, received {node.value!r}"))
            return None
    document.problems.append((_place(node.start_mark), f"expected a plain value, received the tag {node.tag}"))
    return None


_SCALARS = {"str", "int", "float", "bool", "null"}


def _mapping(node: yaml.MappingNode, where: Where, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = _place(key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append((place, "expected a key that is a word, received a list or a map"))
            continue
        key = str(key_node.value)
        if key in result:
            document.problems.append(
                (place, f"{'.'.join(map(str, (*where, key)))}: expected each key once, received it again")
            )
            continue
        document.places[(*where, key)] = place
        result[key] = _plain(value_node, (*where, key), document)
    return result
