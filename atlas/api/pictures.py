"""Pictures of channels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from atlas.api.ask import ask, loaded, only
from atlas.api.guest import guest
from atlas.ascent.render import Rendering
from atlas.ascent.show import renderings
from atlas.errors import AtlasError


@overload
def maximize(network: str | Path, layer: str, channels: int | None = None, **options: Any) -> Rendering: ...


@overload
def maximize(network: str | Path, layer: str, channels: Sequence[int], **options: Any) -> list[Rendering]: ...


@guest
def maximize(
    network: str | Path,
    layer: str,
    channels: int | Sequence[int] | None = None,
    *,
    recipe: str = "default",
    weights: str | None = None,
    preprocessing: Any = None,
    classes: bool | None = None,
    frame_every: int = 0,
    **changes: Any,
) -> Rendering | list[Rendering]:
    """The picture that excites a channel most, by gradient ascent; of several channels, one for each.

    The same arguments give the same bytes as a build of atlas does.

    Parameters: ``network`` is an id such as ``"vgg19"`` or the path of a ``.keras`` file; ``channels`` is one channel,
    several, or None for a recipe of whole layers; ``recipe`` is the recipe that is taken, and every further argument
    changes it (``size=224, steps=64, objective={"name": "neuron"}``, see docs/recipes.md); ``weights``,
    ``preprocessing`` and ``classes`` mean what they mean in a configuration; ``frame_every`` keeps a frame every so
    many steps, 0 none.

    Returns renderings, see ``atlas.ascent.render.Rendering``: ``picture (size, size, 3) uint8``, ``score``, ``trace``,
    ``maps``, ``frames``, ``state`` (activated, dead) and more.

    Raises: ConfigError with every problem in the arguments; NetworkError and WeightsError, each with one sentence.
    """
    asked = {"weights": weights, "preprocessing": preprocessing, "classes": classes}
    request = ask(network, layer, channels, {"base": recipe, **changes}, **asked)
    one = only(request)
    if channels is None and not one.recipes["shown"].whole:
        raise AtlasError(f"channels: expected one or several channels of {layer} for recipe {recipe}, received none")
    alone = channels is None or np.ndim(channels) == 0
    wanted = one.channels if alone else np.asarray(channels).tolist()
    made = renderings(loaded(request), one.facts.name, wanted, one.recipes["shown"], frame_every)
    return made[0] if alone else made
