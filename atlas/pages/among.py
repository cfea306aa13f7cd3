"""The page that lays out a layer's pictures among real images, and says which are near to which labels."""

from dataclasses import dataclass

import numpy as np

from atlas.pages import addresses, views, words
from atlas.pages.exemplars import Found
from atlas.pages.tree import Atlas, Layer

WIDTH, HEIGHT, EDGE = 880, 560, 24  # of the map, px
COLOURS = 8  # of labels; those that come after share the last one
MOST = 120  # pictures whose numbers have room on the map
SHOWN = 8  # channels that are named as nearest to a label, and as farthest
LABELS = 40  # that the page names channels of; the data have all
METHODS = {"pca": "Two principal components", "tsne": "A t-SNE map", "umap": "A UMAP map"}


@dataclass(frozen=True)
class Dot:
    """A picture or an image on the map, px; ``label`` is its colour's number, ``page`` the channel's."""

    x: float
    y: float
    title: str
    label: int = 0
    page: str = ""
    number: int = 0


@dataclass(frozen=True)
class Map:
    """All of the map; ``numbered`` says whether pictures have room for their numbers."""

    width: int
    height: int
    images: tuple[Dot, ...]
    pictures: tuple[Dot, ...]
    radius: int
    numbered: bool


@dataclass(frozen=True)
class Label:
    """A label of the images, its colour's number, how many images have it, and the channels near it and far from it."""

    name: str
    colour: int
    count: int
    rows: tuple[views.NearRow, ...]


def near_map(layer: Layer, found: Found) -> Map:
    """Pictures and images where the engine has laid them out."""
    places = np.asarray(found.arrays["map"], float)
    extent = np.ptp(places, axis=0)
    spread = (places - places.min(0)) / np.where(extent > 0, extent, 1.0)
    spots = np.round(EDGE + spread * (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE), 1).tolist()
    channels = list(found.rows)
    colours = {label: min(place, COLOURS - 1) for place, label in enumerate(found.labels)}
    images = []
    for (x, y), image in zip(spots[len(channels) :], found.arrays["map_images"].tolist(), strict=True):
        name, label = found.name_and_label(image)
        title = ", ".join(filter(None, [name, label])) or "an image"
        images.append(Dot(x, y, title, colours.get(label, COLOURS)))
    pictures = tuple(
        Dot(x, y, f"{layer.name} {channel}", page=addresses.channel_page(layer.folder, channel), number=channel)
        for (x, y), channel in zip(spots[: len(channels)], channels, strict=True)
    )
    numbered = len(channels) <= MOST
    return Map(WIDTH, HEIGHT, tuple(images), pictures, 12 if numbered else 5, numbered)


def near_labels(atlas: Atlas, layer: Layer, found: Found) -> tuple[Label, ...]:
    """The labels with the channels that are nearest to each and farthest from it; none where there is but one. Of more
    than LABELS those that most images have."""
    if len(found.labels) < 2:
        return ()
    channels, shown = list(found.rows), {channel.number: channel for channel in layer.shown}
    made = []
    counts = found.arrays["label_images"]
    most = np.sort(np.argsort(-counts, kind="stable")[:LABELS])
    for place in most.tolist():
        apart = found.arrays["cosine"][:, place]
        order = np.argsort(apart, kind="stable")
        few = min(SHOWN, max(1, len(order) // 2))
        rows = tuple(
            views.NearRow(
                title,
                tuple(
                    views.cell(atlas, layer, shown[channels[row]], words.likeness(float(apart[row]))) for row in rows
                ),
            )
            for title, rows in (("Nearest", order[:few]), ("Farthest", order[::-1][:few]))
        )
        made.append(Label(found.labels[place], min(place, COLOURS - 1), int(counts[place]), rows))
    return tuple(made)
