"""Collecting what is wrong in a configuration: every problem at once, each a sentence at its place."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from atlas.errors import ConfigError, nearest
from atlas.spec import marks, objectives, slots
from atlas.spec.comparing import Compare
from atlas.spec.config import Compute, LayerChoice, Numbers, SiteOptions
from atlas.spec.facts import NetworkFacts

LONGEST = 900  # characters of one problem
Model = TypeVar("Model", bound=BaseModel)

MODELS: dict[str, type[BaseModel]] = {
    "compare": Compare,
    "compute": Compute,
    "LayerChoice": LayerChoice,
    "Numbers": Numbers,
    "site": SiteOptions,
    "octaves": slots.Octaves,
    "settle": slots.Settle,
    **{
        kind.model_fields["name"].default: kind
        for union in (slots.Parameterization, slots.Transform, slots.Optimizer, objectives.Objective)
        for kind in get_args(get_args(union)[0])
    },
}


class Problems:
    """The problems of one configuration.

    ``path`` is its file, or None when it came as data; ``options`` are the keys that came from the command line.
    """

    def __init__(self, path: Path | None, document: marks.Document, options: frozenset[str] = frozenset()):
        self.path, self.document, self.options = path, document, options
        self.noted = list(document.problems)
        self.faulty: set[str] = set()  # top-level keys in which something was noted

    def __bool__(self) -> bool:
        return bool(self.noted)

    def error(self) -> ConfigError:
        """All that was noted, in the file's order, as one error."""
        lines = [
            f"{self.path}:{line}:{column}: {said}" if self.path and not said.startswith("--") else said
            for (line, column), said in sorted(self.noted)
        ]
        return ConfigError(list(dict.fromkeys(map(_shown, lines))))

    def note(self, where: Iterable[str | int], said: str) -> None:
        """Note a problem at the deepest key of ``where`` that the file has, or at the option that gave the value."""
        found = self._found(where)
        self.faulty.update(map(str, found[:1]))
        if self._is_option(found):
            self.noted.append(((1, 1), f"--{found[-1]}: {said}"))
            return
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found).lstrip(".")
        self.noted.append((self.document.place(found), f"{key}: {said}" if key else said))

    def validate(self, model: type[Model], data: Any, above: marks.Where) -> Model | None:
        """The model of ``data``, or None with its problems noted. By way of JSON, where a list may fill a tuple."""
        try:
            return model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            alternatives: dict[tuple[marks.Where, str], list[str]] = {}
            found = error.errors()
            for problem in found:
                inside = len(problem["loc"])
                if problem["type"] == "too_short" and any(
                    len(other["loc"]) > inside and other["loc"][:inside] == problem["loc"] for other in found
                ):
                    continue  # a list too short only because what is in it is wrong, which is said already
                expected, received = _sentence(model, problem)
                where = self._found((*above, *problem["loc"]))
                alternatives.setdefault((where, received), []).append(expected)
            places = [where for where, _ in alternatives]
            for (where, received), expected_ones in alternatives.items():
                if received[0] in "[{" and any(
                    len(place) > len(where) and place[: len(where)] == where for place in places
                ):
                    continue  # that it might have been a plain value as well helps nobody: the fault is inside
                self.note(where, f"expected {' or '.join(expected_ones)}, received {received}")
        except ValueError as error:  # what JSON cannot say, such as half of a surrogate pair
            self.note(above, f"expected plain values, received something else ({error})")
        return None

    def _found(self, where: Iterable[str | int]) -> marks.Where:
        """The part of a path that the file or an option has: pydantic puts names of types between the keys."""
        found: marks.Where = ()
        for part in where:
            if self._is_option((*found, part)):
                return (*found, part)
            if (*found, part) in self.document.places or any(one.startswith(f"{part}.") for one in self.options):
                found = (*found, part)
        return found

    def _is_option(self, where: marks.Where) -> bool:
        return ".".join(map(str, where)) in self.options


def _shown(line: str) -> str:
    """A line for a terminal: what does not print is escaped, what is very long is cut in its middle."""
    line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def no_layer(word: str, facts: NetworkFacts) -> str:
    """That a network has no layer of that name, with the nearest name, or with how to see all where none is near."""
    near = nearest(word, (layer.name for layer in facts.layers))
    return f"expected a layer of {facts.called}, received {word!r}{near or f'; atlas layers {facts.called} lists them'}"


def _sentence(model: type[BaseModel], problem: Any) -> tuple[str, str]:
    """What was expected and what was received, for one of pydantic's errors."""
    kind, where, received = problem["type"], problem["loc"], problem["input"]
    if kind == "missing":
        return f"the key {where[-1]}", "none"
    if kind == "extra_forbidden":
        inner = next((MODELS[str(part)] for part in reversed(where[:-1]) if str(part) in MODELS), model)
        keys = list(inner.model_fields)
        return f"one of {', '.join(keys)}", f"the key {where[-1]!r}{nearest(str(where[-1]), keys)}"
    if kind == "union_tag_invalid":
        tag = problem["ctx"]["tag"]
        tags = problem["ctx"]["expected_tags"].replace("'", "")
        return f"one of {tags}", f"{tag!r}{nearest(tag, tags.split(', '))}"
    said = problem["msg"].removeprefix("Value error, ")
    for start in ("expected ", "Input should be ", "Tuple should ", "List should "):
        said = said.removeprefix(start)
    shown = json.dumps(received, ensure_ascii=False, default=str)
    return said, shown if len(shown) <= 80 else shown[:77] + "..."
