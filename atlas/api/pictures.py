"""Pictures of channels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex, overload

from atlas.api.ask import RECIPE, ask_layer, kernel, loaded, whole
from atlas.api.guest import guest
from atlas.ascent import showing
from atlas.ascent.render import Rendering, renderings
from atlas.errors import AtlasError
from atlas.networks.weights import ensure
from atlas.processor import computes_bfloat16, usual


@dataclass(frozen=True, eq=False, repr=False)
class Maximized(Rendering):
    """A rendering and what it is of: ``network`` is an id, or the path of a file; ``layer`` a layer's name.

    ``arithmetic`` is how it was computed, ``bfloat16`` or ``fast`` where the recipe's was ``auto``.
    """

    network: str
    layer: str
    arithmetic: str

    def __repr__(self) -> str:
        what = f"{self.network} {self.layer} {self.channel}"
        return f"<{what}: {self.state}, score {self.score['end']:.4g}, {self.picture.shape[0]} px>"


@overload
def maximize(network: str | Path, layer: str, channels: SupportsIndex | None = None, **options: Any) -> Maximized: ...


@overload
def maximize(
    network: str | Path, layer: str, channels: Iterable[SupportsIndex] | str, **options: Any
) -> list[Maximized]: ...


@guest
def maximize(
    network: str | Path,
    layer: str,
    channels: SupportsIndex | Iterable[SupportsIndex] | str | None = None,
    *,
    recipe: str = "default",
    weights: str | None = None,
    preprocessing: Any = None,
    classes: bool | None = None,
    frame_every: SupportsIndex = 0,
    **changes: Any,
) -> Maximized | list[Maximized]:
    """The picture that excites a channel most, by gradient ascent; of several channels, one for each.

    The same arguments give the same bytes as a build of atlas does in the same arithmetic. Several channels that take
    long are shared among processes, at most one for each core; each takes some seconds to start. Not so where
    TensorFlow was imported before atlas, which then computes as it was set up, nor outside of the main thread.

    Parameters: ``network`` is an id such as ``"vgg19"`` or the path of a ``.keras`` file, of which what it holds now
    counts; ``layer`` is the name of one layer; ``channels`` is one whole number of any kind, several, runs of them such
    as ``"0-63,100"``, or None for a recipe of whole layers; ``recipe`` is the recipe that is taken, and every further
    argument changes it (``size=224, steps=64, objective={"name": "neuron"}``, see docs/recipes.md); ``weights``,
    ``preprocessing`` and ``classes`` mean what they mean in a configuration; ``frame_every`` keeps a frame every so
    many steps, 0 none.

    Returns renderings, see ``atlas.ascent.render.Rendering``: ``picture (size, size, 3) uint8``, ``score``, ``trace``,
    ``maps``, ``frames``, ``state`` (activated, dead) and more, with the names of their ``network`` and ``layer``, and
    with the ``arithmetic`` that was taken.

    Raises: ConfigError with every problem in the arguments; NetworkError and WeightsError, each with one sentence.
    """
    every = whole(frame_every, "frame_every")
    given = {"weights": weights, "preprocessing": preprocessing, "classes": classes}
    asked = ask_layer(network, layer, channels, {"base": recipe, **changes}, **given)
    shown = asked.layer.recipes[RECIPE].computed(usual(computes_bfloat16()))
    if asked.channels is None and not shown.whole:
        raise AtlasError(f"channels: expected one or several channels of {layer} for recipe {recipe}, received none")
    of, wanted = asked.request.ref.network, (0,) if shown.whole else asked.channels or (0,)
    work = showing.seconds(asked.layer.facts, shown, len(wanted))
    if (count := showing.processes(len(wanted), work)) > 1:
        ensure(asked.request.ref)
        shared = showing.Showing(asked.request.ref, asked.request.facts.id, layer, shown, every)
        made = showing.share(shared.render, wanted, count)
    else:
        made = renderings(loaded(asked.request), layer, wanted, shown, every, kernel)
    named = [Maximized(**vars(one), network=of, layer=layer, arithmetic=shown.arithmetic) for one in made]
    return named[0] if asked.alone else named
