"""From a YAML file to a checked request, or every problem at once with its place."""

import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from atlas.errors import AtlasError, ConfigError, NetworkError, WeightsError, nearest
from atlas.resources import DEMO, demo_images
from atlas.spec import marks
from atlas.spec.class_names import read_class_names
from atlas.spec.comparing import Compare
from atlas.spec.config import RECIPE_NAME, Config, Numbers
from atlas.spec.facts import NetworkFacts, NetworkRef, Preprocessing, is_path
from atlas.spec.layers import choose_layers
from atlas.spec.objectives import NO_PHOTO, Caricature
from atlas.spec.probing import Probes
from atlas.spec.problems import Problems
from atlas.spec.recipe import STARTS, Recipe
from atlas.spec.recipes import RECIPES, merge
from atlas.spec.request import Catalog, LayerRequest, Record, Request
from atlas.spec.website import Website, read_notes

LOGOS = (".svg", ".png", ".webp")
WEIGHTS = ("imagenet", "embedded", "random", "own")  # everything else is a path


def load_request(path: Path, overrides: Mapping[str, Any], catalog: Catalog, limit: int | None = None) -> Request:
    """Read and check a configuration.

    Parameters: ``overrides`` replaces top-level keys (``weights``, ``output``, ``store``) and keys of ``compute`` given
    as ``compute.workers``; ``limit`` keeps the first so many channels of each layer.

    Raises: ConfigError with all problems, each ``file:line:column: key: expected ..., received ...``.
    """
    return _Reader(path, marks.load(path), overrides, catalog, limit).request()


def read_request(text: str, path: Path, catalog: Catalog) -> Request:
    """As ``load_request``, of a text that is to become the file at ``path``."""
    return _Reader(path, marks.read(text), {}, catalog, None).request()


def check_request(data: Mapping[str, Any], catalog: Catalog) -> Request:
    """A request from the keys of a configuration, without a file: relative paths start at the current directory. Paths,
    and numbers and arrays of numpy's, are taken as the plain values that they stand for.

    Raises: ConfigError with all problems, each ``key: expected ..., received ...``.
    """
    try:
        plain = json.loads(json.dumps(dict(data), default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError([f"expected plain values, received something else ({error})"]) from error
    return _Reader(None, marks.of(plain), {}, catalog, None).request()


def _plain(value: Any) -> Any:
    """What JSON has no form for as something that it has one for. Raises TypeError where there is nothing such."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "__array__"):
        import numpy as np

        return np.asarray(value).tolist()
    raise TypeError(f"{value!r:.60}")


class _Reader:
    """One pass over one configuration that notes problems instead of stopping at the first."""

    def __init__(
        self,
        path: Path | None,
        document: marks.Document,
        overrides: Mapping[str, Any],
        catalog: Catalog,
        limit: int | None,
    ):
        self.path, self.data, self.overrides, self.catalog, self.limit = path, document.data, overrides, catalog, limit
        self.folder = path.parent if path else Path()
        self.problems = Problems(path, document, frozenset(overrides))

    def request(self) -> Request:
        if not isinstance(self.data, dict):
            if not self.problems:
                self.problems.note((), "expected a map of keys such as `network: vgg19`, received something else")
            raise self.problems.error()
        data = self._overridden(self.data)
        config = self._config(data)
        recipes = self._recipes(data)
        ref = self._ref(config) if config else None
        facts = self._facts(ref) if ref else None
        if config is None or ref is None or facts is None:
            raise self.problems.error()
        first = next(iter(recipes), None)
        if self.path and first and recipes[first].whole:  # an atlas; one picture without a file may be of a layer
            said = "expected a first recipe that makes a picture of each channel, received one of whole layers"
            self.problems.note(("recipes", first), said)
        layers = choose_layers(config, ref, facts, recipes, self.limit, self.catalog, self.problems)
        names = self._class_names(config.class_names, facts)
        if self.problems:
            raise self.problems.error()
        return self._finish(config, ref, facts, layers, names)

    def _overridden(self, data: Mapping[str, Any]) -> dict[str, Any]:
        result = dict(data)
        if "compare.pictures" in self.overrides:  # other pictures have other names, and others made them
            result.pop("compare", None)
        for key, value in self.overrides.items():
            outer, _, inner = key.partition(".")
            if inner:
                section = result.get(outer) or {}
                result[outer] = {**section, inner: value} if isinstance(section, dict) else section
            else:
                result[outer] = value
        return result

    def _config(self, data: Mapping[str, Any]) -> Config | None:
        """The configuration. One with faults is read again without them, so that its layers are checked as well."""
        config = self.problems.validate(Config, data, ())
        if config is not None or "network" not in data:
            return config
        sound = {key: data[key] for key in Config.model_fields if key in data and key not in self.problems.faulty}
        return Problems(None, marks.of(sound)).validate(Config, sound, ())

    def _recipes(self, data: Mapping[str, Any]) -> dict[str, Recipe]:
        given = data.get("recipes", Config.model_fields["recipes"].default)
        result: dict[str, Recipe] = {}
        for name, changes in (given if isinstance(given, dict) else {}).items():
            where = ("recipes", name)
            if not RECIPE_NAME.fullmatch(name):
                self.problems.note(where, f"expected a name of small letters, digits, - and _, received {name!r}")
                continue
            if not isinstance(changes, dict):
                continue  # the configuration's own model has said so
            base = str(changes.get("base", "default"))
            if base not in RECIPES:
                said = f"expected one of {', '.join(RECIPES)}, received {base!r}{nearest(base, RECIPES)}"
                self.problems.note((*where, "base"), said)
                changes, base = {key: value for key, value in changes.items() if key != "base"}, "default"
            recipe = self.problems.validate(Recipe, merge(RECIPES[base].model_dump(mode="json"), changes), where)
            if recipe is not None:
                self._check_photos(recipe, where)
                result[name] = recipe.with_photos(lambda photo: str(self._photo(photo)))
        return result

    def _check_photos(self, recipe: Recipe, where: marks.Where) -> None:
        """Note photos of a recipe that are not there, and one that is not given."""
        if recipe.start not in STARTS and not self._photo(recipe.start).is_file():
            said = f"expected {', '.join(STARTS)} or the path of a photo, received {recipe.start!r}"
            self.problems.note((*where, "start"), said)
        for place, term in enumerate(recipe.terms):
            at: marks.Where = (*where, "objective", *([place] if isinstance(recipe.objective, tuple) else []), "photo")
            if not isinstance(term, Caricature):
                continue
            if term.photo is None:
                self.problems.note(at, NO_PHOTO)
            elif not self._photo(term.photo).is_file():
                self.problems.note(at, f"expected the path of a photo, received {term.photo!r}")

    def _ref(self, config: Config) -> NetworkRef | None:
        own = is_path(config.network)
        given = config.weights or ("own" if own else "imagenet")
        kind, _, seed = given.partition(":")
        if kind == "random" and not re.fullmatch(r"[0-9]{0,18}", seed):
            said = f"expected random or random:SEED with a whole number of at most 18 digits, received {given!r:.60}"
            self.problems.note(("weights",), said)
            return None
        if "preprocessing" in self.problems.faulty:
            return None
        if not own and config.preprocessing is not None:
            said = f"expected it only with a .keras file, received it with {config.network}, which brings its own"
            self.problems.note(("preprocessing",), said)
            return None
        if not own and isinstance(config.classes, str):
            said = f"expected true or false with {config.network}, received {config.classes!r}; a name is for a file"
            self.problems.note(("classes",), said)
            return None
        return NetworkRef(
            network=str(self._path(config.network, "network")) if own else config.network,
            weights=kind if kind in WEIGHTS else str(self._path(given, "weights")),
            seed=int(seed or 0) if kind == "random" else 0,
            preprocessing=self._preprocessing(config.preprocessing),
            classes=config.classes,
        )

    def _path(self, given: str, key: str) -> Path:
        """A path as an absolute one: from the file's folder, or from the current directory if it came as an option."""
        return ((Path() if key in self.overrides else self.folder) / given).resolve()

    def _photo(self, given: str) -> Path:
        """The path of a photo that a recipe names: a file, or one of those that scikit-image brings."""
        folder, _, name = given.partition("/")
        return demo_images() / name if folder == DEMO and name else self._path(given, "recipes")

    def _preprocessing(self, given: str | Numbers | None) -> Preprocessing | None:
        if isinstance(given, Numbers):
            return Preprocessing(**given.model_dump())
        return self.catalog.preprocessing(given) if given else None

    def _facts(self, ref: NetworkRef) -> NetworkFacts | None:
        """What is known of the network; that its weights are not there is noted, and no reason to stop looking."""
        try:
            facts = self.catalog.facts(ref)
        except (NetworkError, WeightsError) as error:
            self.problems.note(("network",), str(error))
            return None
        try:
            self.catalog.find_weights(ref)
        except (NetworkError, WeightsError) as error:
            self.problems.note(("weights",), str(error))
        return facts

    def _class_names(self, given: str | None, facts: NetworkFacts) -> tuple[str, ...] | None:
        """The user's own names of the network's classes, or None; that they do not fit is noted."""
        if given is None:
            return None
        if facts.classifier is None:
            said = f"expected a network with its classifier, received {facts.called} without"
            hint = "write classes: true, or leave this key out"
            self.problems.note(("class_names",), f"{said}; {hint}")
            return None
        try:
            return read_class_names(self._path(given, "class_names"), facts.classifier.channels)
        except AtlasError as error:
            self.problems.note(("class_names",), str(error))
            return None

    def _finish(
        self,
        config: Config,
        ref: NetworkRef,
        facts: NetworkFacts,
        layers: tuple[LayerRequest, ...],
        class_names: tuple[str, ...] | None,
    ) -> Request:
        random = ref.weights == "random"
        name = (self.path.stem if self.path else facts.id) + ("-random" if random else "")
        output = config.output or f"site/{name}"
        beside = random and "weights" in self.overrides and "output" not in self.overrides
        if beside and config.output:
            output = f"{config.output.rstrip('/')}-random"  # never over the atlas of real weights
        return Request(
            name=Path(os.path.abspath(output)).name or name,  # noqa: PTH100 (resolve would follow links)
            title=config.title or facts.title,
            ref=ref,
            facts=facts,
            layers=layers,
            record=Record(config.record, config.frame_every),
            probes=self._probes(config, facts),
            compare=self._compare(config.compare),
            compute=config.compute,
            store=config.store,
            output=Path(output),
            website=self._website(config, facts, beside),
            class_names=class_names,
        )

    def _probes(self, config: Config, facts: NetworkFacts) -> Probes | None:
        given = config.probes
        if given is None:
            return None
        images = given.images
        if images != DEMO:
            path = self._path(images, "probes")
            images = str(path)
            if not path.is_dir() and not any(sign in given.images for sign in "*?["):
                said = f"expected a folder of images, a pattern such as photos/*.jpg, or {DEMO}, received"
                self.problems.note(("probes", "images"), f"{said} {given.images!r}, where there is none")
        if given.size and (unfit := facts.unfit(given.size)):
            self.problems.note(("probes", "size"), unfit)
        if given.layout == "umap" and find_spec("umap") is None:
            said = "expected pca or tsne, or the package umap-learn, received umap without it"
            self.problems.note(("probes", "layout"), f"{said}; install atlas-microscope[umap]")
        if self.problems:
            raise self.problems.error()
        return given.model_copy(update={"images": images, "size": given.size or facts.size})

    def _compare(self, given: Compare | None) -> Compare | None:
        if given is None:
            return None
        folder = self._path(given.pictures, "compare.pictures")
        if not folder.is_dir():
            said = f"expected a folder of pictures, received {given.pictures!r}, where there is none"
            self.problems.note(("compare", "pictures"), said)
            raise self.problems.error()
        return given.model_copy(update={"pictures": str(folder)})

    def _website(self, config: Config, facts: NetworkFacts, beside: bool) -> Website:
        given = config.site
        logo, templates = (
            self._path(path, key) if path else None
            for key, path in (("logo", given.logo), ("templates", given.templates))
        )
        if logo and (logo.suffix.lower() not in LOGOS or not logo.is_file()):
            said = f"expected a file that ends in {', '.join(LOGOS)}, received {given.logo!r}"
            self.problems.note(("site", "logo"), said)
        if templates and not templates.is_dir():
            self.problems.note(("site", "templates"), f"expected a folder, received {given.templates!r}")
        notes = read_notes(self._path(config.notes, "notes"), facts) if config.notes else {}
        if self.problems:
            raise self.problems.error()
        base_url = f"{given.base_url.rstrip('/')}-random/" if given.base_url and beside else given.base_url
        return Website(
            base_url, given.accent, given.footer, given.pictures, given.zip, given.shelf, logo, templates, notes
        )
