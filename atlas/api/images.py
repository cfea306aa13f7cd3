"""Real images through a network: feature maps, and the images that excite channels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np

from atlas.api.ask import ask, ask_layer, loaded, whole
from atlas.api.guest import guest
from atlas.errors import AtlasError
from atlas.images.folders import Source, find_images
from atlas.images.loader import UnfitError, open_image
from atlas.networks.cut import activations
from atlas.networks.load import Network
from atlas.networks.weights import available
from atlas.probes.findings import Findings, Parts, find
from atlas.probes.look import TOGETHER, Looked, Probe, pictures
from atlas.probes.sheets import seen
from atlas.spec.probing import CROPS, Probes
from atlas.spec.request import Request

Image = str | Path | np.ndarray


@dataclass(frozen=True, eq=False)
class Exemplars:
    """The images that excite channels of a layer most, and what all images tell of these channels.

    ``network`` is an id, or the path of a file. ``channels`` are those asked for, each once and in the order of the
    arrays in ``findings``, whose image numbers count ``sources`` (path, name and label of each image). ``skipped`` says
    by name why an image could not be shown. ``looked`` is what the layer's every channel made of every image: row i is
    of image ``numbers[i]``.
    """

    network: str
    layer: str
    channels: tuple[int, ...]
    size: int
    sight: int | None
    sources: tuple[Source, ...]
    skipped: Mapping[str, str]
    numbers: np.ndarray
    looked: Looked
    findings: Findings

    def __repr__(self) -> str:
        of = f"{len(self.channels)} channels of {self.network} {self.layer}"
        return f"<exemplars of {of} among {len(self.numbers)} images>"

    def top(self, channel: SupportsIndex) -> list[tuple[Source, float]]:
        """The images that excite a channel most, with their largest activations, the strongest first. Raises AtlasError
        for a channel that was not asked for."""
        row = self._row(channel)
        numbers, values = self.findings.top[:, row], self.findings.top_value[:, row]
        return [(self.sources[number], float(value)) for number, value in zip(numbers, values, strict=True)]

    def crop(self, channel: SupportsIndex, rank: int = 0) -> np.ndarray:
        """What the most active neuron sees of an exemplar, ``(side, side, 3) uint8``; rank 0 is the strongest. Raises
        AtlasError for a channel that was not asked for, and where the image is gone or another one now."""
        row = self._row(channel)
        source = self.sources[int(self.findings.top[rank, row])]
        place = self.findings.top_place[rank, row]
        left, top, right, bottom = seen(place, self.looked.grid, self.size, self.sight)
        try:
            return open_image(source.path, self.size, "middle", source.digest)[top:bottom, left:right]
        except OSError as error:
            said = f"expected the image that was looked at, received: {error.strerror}"
            raise AtlasError(f"{source.path}: {said}") from error

    def _row(self, channel: SupportsIndex) -> int:
        number = whole(channel, "channel")
        if number not in self.channels:
            raise AtlasError(f"channel: expected one that exemplars were asked for, received {number}")
        return self.channels.index(number)


@guest
def feature_maps(
    network: str | Path,
    images: Image | Sequence[Image],
    layers: str | Sequence[str] | None = None,
    *,
    weights: str | None = None,
    preprocessing: Any = None,
    classes: bool | None = None,
    size: SupportsIndex | None = None,
    crop: str = "middle",
) -> dict[str, np.ndarray]:
    """The activations of layers for some images: ``(n, h, w, channels) float32`` by the name of the layer.

    Parameters: ``images`` is one image or several, each a path or pixels ``(h, w, 3) uint8`` that are taken as they
    are, all of one size; files are shown upright, as a square of ``size`` px (the network's own when left out) by
    ``crop`` (``middle`` or ``squeeze``). ``layers`` is a name or several, every listed layer that the weights reach
    when left out, pools too. The rest means what it means in a configuration.

    Raises: ConfigError with every problem in the arguments; AtlasError for an image that cannot be read.
    """
    request = ask(network, weights=weights, preprocessing=preprocessing, classes=classes)
    side = request.facts.size if size is None else whole(size, "size", request.facts.smallest)
    if said := request.facts.unfit(side):
        raise AtlasError(f"size: {said}")
    if crop not in CROPS:
        raise AtlasError(f"crop: expected {' or '.join(CROPS)}, received {crop!r}")
    wanted = [layers] if isinstance(layers, str) else None if layers is None else list(layers)
    if wanted is not None and not wanted:
        raise AtlasError("layers: expected at least one layer, received none; leave layers out for all")
    if other := [one for one in wanted or () if not isinstance(one, str)]:
        raise AtlasError(f"layers: expected names of layers, such as mixed4, received {other[0]!r:.60}")
    net = loaded(request)
    given = [images] if isinstance(images, str | Path | np.ndarray) else list(images)
    if not given:
        raise AtlasError("images: expected at least one image, received none")
    pixels = [_pixels(one, side, crop) for one in given]
    if len({one.shape for one in pixels}) > 1:
        shapes = ", ".join(sorted({str(one.shape) for one in pixels}))
        raise AtlasError(f"images: expected pixels of one size, received {shapes}; give paths, or make them alike")
    names = wanted or _reached(net, request)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for cut in net.cuts(list(parts), pixels[0].shape[0]):
        for first in range(0, len(pixels), TOGETHER):
            looked = cut.see(np.stack(pixels[first : first + TOGETHER]).astype(np.float32) / np.float32(255))
            for sight in cut.sights:
                parts[sight.layer].append(np.asarray(activations(looked, sight)))
    return {name: np.concatenate(found) for name, found in parts.items()}


@guest
def exemplars(
    network: str | Path,
    layer: str,
    images: str | Path,
    channels: SupportsIndex | Iterable[SupportsIndex] | str | None = None,
    *,
    k: int = 8,
    weights: str | None = None,
    preprocessing: Any = None,
    classes: bool | None = None,
    size: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Exemplars:
    """The images of a folder (or of a pattern with ``*``) that excite channels of a layer most.

    Parameters: ``images`` is a folder whose folders are labels, a pattern, or ``"scikit-image"``; ``channels`` is one
    channel or several, every channel when left out; ``k`` images are kept of each; of more than ``limit`` images, so
    many are drawn by ``seed``. The numbers of all images are in memory at once: for very many, build an atlas with
    ``probes``.

    Raises: ConfigError with every problem in the arguments; AtlasError when there are no images that can be shown.
    """
    probes = {"images": str(images), "limit": limit, "seed": seed, "size": size, "exemplars": k}
    given = {"weights": weights, "preprocessing": preprocessing, "classes": classes, "probes": probes}
    asked = ask_layer(network, layer, channels, {}, **given)
    request, facts = asked.request, asked.layer.facts
    chosen = asked.layer.channels  # each once, every one when left out
    wish = cast(Probes, request.probes)
    side = wish.size or request.facts.size
    sources = find_images(wish.images, wish.limit, wish.seed)
    skipped: dict[str, str] = {}
    probe = Probe([loaded(request).cut(layer)], side, wish.exemplars)
    shown = pictures(sources, side, "middle", lambda source, why: skipped.update({source.name: why}))
    numbers, found = probe.look(shown)
    if not found:
        raise AtlasError(f"{images}: expected images that can be shown, received {len(skipped)} that cannot")
    looked = found[layer]
    findings = find(one_part(numbers, looked), len(numbers), chosen, wish.exemplars)
    of = (request.ref.network, layer, chosen, side, facts.receptive_field)
    return Exemplars(*of, sources, skipped, numbers, looked, findings)


def one_part(numbers: np.ndarray, looked: Looked) -> Parts:
    """All images in one part."""

    def parts() -> Iterator[tuple[np.ndarray, Looked]]:
        yield numbers, looked

    return parts


def _pixels(image: Image, size: int, crop: str) -> np.ndarray:
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise AtlasError(f"images: expected pixels (h, w, 3) uint8, received {image.shape} {image.dtype}")
        return image
    try:
        return open_image(str(image), size, crop)
    except UnfitError as error:
        raise AtlasError(f"{image}: expected an image, received {error}") from error
    except OSError as error:
        raise AtlasError(f"{image}: expected an image, received: {error.strerror}; check the path") from error


def _reached(network: Network, request: Request) -> list[str]:
    """Every listed layer with maps that the weights reach."""
    names = [layer.name for layer in request.facts.layers if layer.listed and layer.kind != "classes"]
    return [name for name in names if available(network.ref, name) is None]
