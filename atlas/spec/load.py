"""From a YAML file to a checked request, or every problem at once with its place."""

import difflib
import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from atlas.errors import ConfigError, NetworkError, WeightsError
from atlas.spec import marks
from atlas.spec import recipe as recipes
from atlas.spec.config import RECIPE_NAME, Compute, Config, LayerChoice, Numbers, parse_channels
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef, Preprocessing
from atlas.spec.recipe import RECIPES, Recipe, automatic_size

MODELS: dict[str, type[BaseModel]] = {
    "compute": Compute,
    "objective": recipes.Channel,
    "LayerChoice": LayerChoice,
    "Numbers": Numbers,
    **{
        kind.model_fields["name"].default: kind
        for kind in (
            recipes.Pixel,
            recipes.Fourier,
            recipes.Channel,
            recipes.Pad,
            recipes.Crop,
            recipes.Shift,
            recipes.Scale,
            recipes.Rotate,
            recipes.Adam,
            recipes.Ascent,
        )
    },
}


@dataclass(frozen=True)
class Catalog:
    """What the reader asks about networks; ``networks`` answers, so that ``spec`` need not import it.

    ``facts(ref)`` raises NetworkError or WeightsError; ``available(ref, layer)`` is None, or why the weights do not
    reach that layer; ``preprocessing(name)`` is what tf, caffe, torch or none means.
    """

    facts: Callable[[NetworkRef], NetworkFacts]
    available: Callable[[NetworkRef, str], str | None]
    preprocessing: Callable[[str], Preprocessing]


@dataclass(frozen=True)
class LayerRequest:
    """A layer and the channels asked for, in order, each once; ``recipes`` by name, sizes resolved."""

    facts: LayerFacts
    channels: tuple[int, ...]
    recipes: Mapping[str, Recipe]


@dataclass(frozen=True)
class Request:
    """A configuration that was checked against its network: everything a plan needs."""

    name: str
    title: str
    ref: NetworkRef
    facts: NetworkFacts
    layers: tuple[LayerRequest, ...]
    record: tuple[str, ...]
    compute: Compute
    store: str
    output: Path


def load_request(path: Path, overrides: Mapping[str, Any], catalog: Catalog, limit: int | None = None) -> Request:
    """Read and check a configuration.

    Parameters: ``overrides`` replaces top-level keys (``weights``, ``output``, ``store``) and keys of ``compute`` given
    as ``compute.workers``; ``limit`` keeps the first so many channels of each layer.

    Raises: ConfigError with all problems, each ``file:line:column: key: expected ..., received ...``.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: expected text in UTF-8, received bytes that are not ({error.reason})"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: expected a readable file, received: {error.strerror}"]) from None
    return _Reader(path, marks.read(text), overrides, catalog, limit).request()


def check_request(data: Mapping[str, Any], catalog: Catalog) -> Request:
    """A request from the keys of a configuration, without a file: relative paths start at the current directory.

    Raises: ConfigError with all problems, each ``key: expected ..., received ...``.
    """
    return _Reader(None, marks.Document(dict(data)), {}, catalog, None).request()


class _Reader:
    """One pass over one file that collects problems instead of stopping at the first."""

    def __init__(
        self,
        path: Path | None,
        document: marks.Document,
        overrides: Mapping[str, Any],
        catalog: Catalog,
        limit: int | None,
    ):
        self.path, self.document, self.overrides, self.catalog, self.limit = path, document, overrides, catalog, limit
        self.folder = path.parent if path else Path()
        self.problems = [(place, said) for place, said in document.problems]

    def request(self) -> Request:
        if self.document.data is None and self.problems:
            raise self._error()
        if not isinstance(self.document.data, dict):
            self._problem((), "expected a map of keys such as `network: vgg19`, received something else")
            raise self._error()
        data = self._overridden(self.document.data)
        config = self._config(data)
        recipes = self._recipes(data)
        if config is None:
            raise self._error()
        ref = self._ref(config)
        facts = self._facts(ref) if ref else None
        layers = self._layers(config, ref, facts, recipes) if ref and facts else ()
        if self.problems or ref is None or facts is None:
            raise self._error()
        return self._finish(config, ref, facts, layers)

    def _error(self) -> ConfigError:
        lines = [
            f"{self.path}:{line}:{column}: {said}" if self.path else said
            for (line, column), said in sorted(self.problems)
        ]
        return ConfigError(list(dict.fromkeys(lines)))

    def _problem(self, where: Iterable[str | int], said: str) -> None:
        """Note a problem at the deepest key of ``where`` that the file has."""
        found = self._found(where)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found).lstrip(".")
        self.problems.append((self.document.place(found), f"{key}: {said}" if key else said))

    def _found(self, where: Iterable[str | int]) -> marks.Where:
        """The part of a path that the file has: pydantic puts names of types between the keys."""
        found: marks.Where = ()
        for part in where:
            if (*found, part) in self.document.places or self.path is None:
                found = (*found, part)
        return found

    def _overridden(self, data: Mapping[str, Any]) -> dict[str, Any]:
        result = dict(data)
        for key, value in self.overrides.items():
            outer, _, inner = key.partition(".")
            if inner:
                section = result.get(outer) or {}
                result[outer] = {**section, inner: value} if isinstance(section, dict) else section
            else:
                result[outer] = value
        return result

    def _validate(self, model: type[BaseModel], data: Any, above: marks.Where) -> Any:
        """The model of ``data``, or None with its problems noted. JSON, since there a list may fill a tuple."""
        try:
            return model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            alternatives: dict[tuple[marks.Where, str], list[str]] = {}
            for problem in error.errors():
                expected, received = _sentence(model, problem)
                where = self._found((*above, *problem["loc"]))
                alternatives.setdefault((where, received), []).append(expected)
            for (where, received), expected_ones in alternatives.items():
                self._problem(where, f"expected {' or '.join(expected_ones)}, received {received}")
        except ValueError as error:  # not JSON: a value such as .nan
            self._problem(above, f"expected plain finite values, received something else ({error})")
        return None

    def _config(self, data: Mapping[str, Any]) -> Config | None:
        """The configuration. One with faults is read again without them, so that its layers are checked as well."""
        config: Config | None = self._validate(Config, data, ())
        if config is not None or "network" not in data:
            return config
        faults = {
            key for key in data if any(said.startswith((f"{key}:", f"{key}.", f"{key}[")) for _, said in self.problems)
        }
        try:
            return Config.model_validate_json(json.dumps({key: data[key] for key in data if key not in faults}))
        except ValueError:
            return None

    def _recipes(self, data: Mapping[str, Any]) -> dict[str, Recipe]:
        given = data.get("recipes")
        result: dict[str, Recipe] = {}
        for name, changes in (given if isinstance(given, dict) else {"main": {"base": "default"}}).items():
            where = ("recipes", name)
            if not RECIPE_NAME.fullmatch(name):
                self._problem(where, f"expected a name of small letters, digits, - and _, received {name!r}")
                continue
            if not isinstance(changes, dict):
                continue  # the config model has said so
            base = changes.get("base", "default")
            if base not in RECIPES:
                self._problem(
                    (*where, "base"),
                    f"expected one of {', '.join(RECIPES)}, received {base!r}{_nearest(str(base), RECIPES)}",
                )
                continue
            recipe = self._validate(Recipe, merge(RECIPES[base].model_dump(mode="json"), changes), where)
            if recipe is not None:
                photo = self._photo(recipe.start, where)
                result[name] = recipe.model_copy(update={"start": photo})
        return result

    def _photo(self, start: str, where: marks.Where) -> str:
        if start in recipes.STARTS:
            return start
        photo = (self.folder / start).resolve()
        if not photo.is_file():
            self._problem(
                (*where, "start"), f"expected {', '.join(recipes.STARTS)} or the path of a photo, received {start!r}"
            )
        return str(photo)

    def _ref(self, config: Config) -> NetworkRef | None:
        own = config.network.endswith(".keras") or "/" in config.network
        network = str((self.folder / config.network).resolve()) if own else config.network
        given = config.weights or ("own" if own else "imagenet")
        kind, _, seed = given.partition(":")
        if kind == "random" and seed and not seed.isdecimal():
            self._problem(("weights",), f"expected random or random:SEED with a whole number, received {given!r}")
            return None
        named = kind in ("imagenet", "embedded", "random", "own")
        preprocessing = config.preprocessing
        if own and preprocessing is None:
            self._problem(
                ("network",),
                "expected preprocessing: tf, caffe, torch, none or numbers beside a network of one's own, received none",
            )
            return None
        if not own and preprocessing is not None:
            self._problem(
                ("preprocessing",),
                f"expected it only with a .keras file, received it with {network}, which brings its own",
            )
            return None
        return NetworkRef(
            network=network,
            weights=kind if named else str((self.folder / given).resolve()),
            seed=int(seed or 0) if kind == "random" else 0,
            preprocessing=Preprocessing(**preprocessing.model_dump())
            if isinstance(preprocessing, Numbers)
            else (self.catalog.preprocessing(preprocessing) if preprocessing else None),
        )

    def _facts(self, ref: NetworkRef) -> NetworkFacts | None:
        try:
            return self.catalog.facts(ref)
        except NetworkError as error:
            self._problem(("network",), str(error))
        except WeightsError as error:
            self._problem(("weights",), str(error))
        return None

    def _layers(
        self, config: Config, ref: NetworkRef, facts: NetworkFacts, recipes: Mapping[str, Recipe]
    ) -> tuple[LayerRequest, ...]:
        chosen: dict[str, set[int]] = {}
        if config.layers is None:
            chosen = {layer.name: set(range(layer.channels)) for layer in facts.feature_layers}
            reachable = {
                name: channels for name, channels in chosen.items() if self.catalog.available(ref, name) is None
            }
            chosen = reachable or chosen
        for index, choice in enumerate(config.layers or ()):
            name, channels = (choice, None) if isinstance(choice, str) else (choice.name, choice.channels)
            self._choose(facts, name, channels, ("layers", index), chosen)
        result = []
        for layer in facts.layers:
            if layer.name not in chosen:
                continue
            refused = self.catalog.available(ref, layer.name)
            if refused:
                self._problem(self._where_chosen(config, layer.name), refused)
            channels_kept = tuple(sorted(chosen[layer.name])[: self.limit])
            result.append(LayerRequest(layer, channels_kept, {n: _sized(r, layer, facts) for n, r in recipes.items()}))
        for name, recipe in recipes.items():
            if isinstance(recipe.size, int) and recipe.size < facts.smallest:
                self._problem(
                    ("recipes", name, "size"),
                    f"expected at least {facts.smallest} pixels for {facts.id}, received {recipe.size}",
                )
        return tuple(result)

    def _choose(
        self,
        facts: NetworkFacts,
        name: str,
        channels: str | int | None,
        where: marks.Where,
        chosen: dict[str, set[int]],
    ) -> None:
        matches = [layer for layer in facts.layers if fnmatch.fnmatchcase(layer.name, name)]
        if not matches:
            names = [layer.name for layer in facts.layers]
            self._problem(
                (*where, "name"),
                f"expected a layer of {facts.id}, received {name!r}{_nearest(name, names)}; see `atlas layers`",
            )
        for layer in matches:
            wanted = chosen.setdefault(layer.name, set())
            if channels is None:
                wanted.update(range(layer.channels))
                continue
            for run in parse_channels(str(channels)):
                if run[-1] >= layer.channels:
                    self._problem(
                        (*where, "channels"),
                        f"expected channels 0 to {layer.channels - 1} of {layer.name}, received {run[-1]}",
                    )
                else:
                    wanted.update(run)

    def _where_chosen(self, config: Config, layer: str) -> marks.Where:
        for index, choice in enumerate(config.layers or ()):
            if fnmatch.fnmatchcase(layer, choice if isinstance(choice, str) else choice.name):
                return ("layers", index, "name")
        return ("layers",)

    def _finish(
        self, config: Config, ref: NetworkRef, facts: NetworkFacts, layers: tuple[LayerRequest, ...]
    ) -> Request:
        random = ref.weights == "random"
        name = (self.path.stem if self.path else facts.id) + ("-random" if random else "")
        output = config.output or f"site/{name}"
        if random and "weights" in self.overrides and "output" not in self.overrides and config.output:
            output = f"{config.output.rstrip('/')}-random"  # never over the atlas of real weights
        return Request(
            name=Path(output).name,
            title=config.title or facts.title,
            ref=ref,
            facts=facts,
            layers=layers,
            record=config.record,
            compute=config.compute,
            store=config.store,
            output=Path(output),
        )


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's data with changes on top: slots of the same name are merged, others replaced, lists replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        same = (
            isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) == old.get("name")
        )
        result[key] = merge(old, value) if same and old is not None and isinstance(value, dict) else value
    return result


def _sized(recipe: Recipe, layer: LayerFacts, facts: NetworkFacts) -> Recipe:
    if recipe.size != "auto":
        return recipe
    return recipe.model_copy(update={"size": automatic_size(layer.receptive_field, facts.smallest)})


def _nearest(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _sentence(model: type[BaseModel], problem: Any) -> tuple[str, str]:
    """What was expected and what was received, for one of pydantic's errors."""
    kind, where, received = problem["type"], problem["loc"], problem["input"]
    if kind == "missing":
        return f"the key {where[-1]}", "none"
    if kind == "extra_forbidden":
        inner = next((MODELS[str(part)] for part in reversed(where[:-1]) if str(part) in MODELS), model)
        keys = list(inner.model_fields)
        return f"one of {', '.join(keys)}", f"the key {where[-1]!r}{_nearest(str(where[-1]), keys)}"
    if kind == "union_tag_invalid":
        tag = problem["ctx"]["tag"]
        tags = problem["ctx"]["expected_tags"].replace("'", "")
        return f"one of {tags}", f"{tag!r}{_nearest(tag, tags.split(', '))}"
    said = problem["msg"].removeprefix("Value error, ")
    for start in ("expected ", "Input should be ", "Tuple should ", "List should "):
        said = said.removeprefix(start)
    shown = json.dumps(received, ensure_ascii=False, default=str)
    return said, shown if len(shown) <= 80 else shown[:77] + "..."
