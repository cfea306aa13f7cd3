"""The configuration: what the keys of a YAML file mean, their types and their defaults.

``spec.load`` reads files into these models; every default stands here or in ``spec.recipe``, once. Editors show the
descriptions, and ``scripts/config_docs.py`` writes them into the documents: that of a key whose default is None says at
its end, behind a semicolon, what holds "when left out."
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from atlas.spec.comparing import Compare
from atlas.spec.frozen import AddressText, Frozen, NameText, PathText
from atlas.spec.probing import Probes
from atlas.spec.recipes import RECIPES

BASE_URL = r"^https?://[A-Za-z0-9][A-Za-z0-9.:-]*(/[A-Za-z0-9._~-]+)*/?$"
FRAMES = 48  # of an ascent, when nothing else is asked for
CHANNELS = re.compile(r"\s*[0-9]{1,9}\s*(-\s*[0-9]{1,9}\s*)?(,\s*[0-9]{1,9}\s*(-\s*[0-9]{1,9}\s*)?)*")
RUNS = Field(json_schema_extra={"format": "channels"})
URL = Field(pattern=BASE_URL, max_length=300, json_schema_extra={"format": "uri"})
COLOUR = Field(pattern=r"^#[0-9a-fA-F]{6}$", json_schema_extra={"format": "color-hex"})
RECIPE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def parse_channels(text: str) -> tuple[range, ...]:
    """The runs of channels that ``"0-63,100"`` names. Raises ValueError with what was expected."""
    if not CHANNELS.fullmatch(text):
        raise ValueError("expected channels such as 0-63,100")
    runs = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        runs.append(range(int(first), int(last or first) + 1))
        if not runs[-1]:
            raise ValueError(f"expected the lower channel first in {part.strip()}")
    return tuple(runs)


def _channels(text: str) -> str:
    parse_channels(text)
    return text


class LayerChoice(Frozen):
    """One layer, or every layer that a pattern names, and which of its channels."""

    name: str = Field(
        description="A layer's name, or a pattern such as `block?_pool`, which means those of the listed layers "
        "that the weights reach."
    )
    channels: Annotated[str, AfterValidator(_channels), RUNS] | Annotated[int, Field(ge=0)] | None = Field(
        None, description="Which of its channels, counted from 0; every channel when left out."
    )


class Numbers(Frozen):
    """Preprocessing in numbers: the network's input is ``picture[..., order] * scale + offset``, picture in [0, 1]."""

    order: Literal["rgb", "bgr"] = Field("rgb", description="In which order the network takes the colours.")
    scale: tuple[float, float, float] = Field(
        (255.0, 255.0, 255.0), description="The factor of each colour, in the network's order."
    )
    offset: tuple[float, float, float] = Field(
        (0.0, 0.0, 0.0), description="What is added to each after the factor, in the same order."
    )


class Compute(Frozen):
    """Where the work runs. On cores, with one thread for each worker, nothing here changes a picture."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = Field(
        "auto",
        description="How many workers; `auto` is one per GPU where there are some, else one per core that this process "
        "may use, as far as there is memory for them.",
    )
    threads_per_worker: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="TensorFlow threads in each worker. Only with 1 are bytes the same on every run."
    )
    batch: Literal["auto", 2, 4, 8, 16, 32, 64, 128, 256] = Field(
        "auto",
        description="Channels ascended together; `auto` goes by the picture's size, 16 to 2 (8 where the network has "
        "SiLU, GELU or the like), on a GPU 64 to 2. It is less in a small build, so that every worker gets a part, and "
        "where a worker would take more than some 1.6 GB.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="What workers compute on; `auto` takes GPUs where there are some, one for each worker."
    )
    backend: Literal["processes", "dask", "sequential"] = Field(
        "processes",
        description="`processes` are workers on this machine; `dask` is a cluster; `sequential` works in this process, "
        "for debugging.",
    )
    scheduler: Annotated[str, Field(min_length=1, max_length=300)] | None = Field(
        None,
        description="The address of a Dask scheduler, such as `tcp://10.0.0.1:8786`; a cluster on this machine, for "
        "this run, when left out.",
    )


class SiteOptions(Frozen):
    """How the pages look, and what is written beside them. Nothing here changes a picture in the store."""

    base_url: Annotated[str, URL] | None = Field(
        None,
        description="The address that the atlas's folder will have, such as `https://example.org/vgg19/`, for social "
        "cards and a `sitemap.xml`; neither of them when left out.",
    )
    accent: Annotated[str, COLOUR] | None = Field(
        None,
        description='The colour of links and marks, such as `"#a5401f"`. It is made darker on light ground and lighter '
        "on dark until it can be read; the site's own colour when left out.",
    )
    logo: PathText | None = Field(
        None,
        description="A picture (`.svg`, `.png`, `.webp`) in the corner of every page; the site's own mark when left "
        "out.",
    )
    footer: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="A sentence at the foot of every page; none when left out."
    )
    templates: PathText | None = Field(
        None,
        description="A folder of templates of your own, which take the place of those of the same name; none when left "
        "out.",
    )
    shelf: bool = Field(
        True,
        description="Whether every page links the list of atlases above it, where there is one; `false` is for a "
        "folder that is hosted alone.",
    )
    pictures: Literal["lossless", "lossy"] = Field(
        "lossless",
        description="Whether the site's pictures are as they were made, or have their colours rounded to steps of 16 "
        "of 256 levels, in less than half the room, for a large atlas on a small host. The store has them as made.",
    )
    zip: bool = Field(False, description="Whether to write `pictures.zip` with every picture.")


class Config(Frozen):
    """One atlas: a network, its layers, the recipes, and where the work and the results go."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The site's title; the network's own when left out."
    )
    network: NameText = Field(
        description="The network: an id such as `vgg19`, `inceptionv3` or `resnet50`, or the path of a `.keras` file."
    )
    weights: NameText | None = Field(
        None,
        description="`imagenet` (Keras downloads it), `embedded` (the convolutions of `vgg16`, and `inceptionv3` to "
        "mixed4), `random` or `random:SEED`, or the path of a `.weights.h5`, `.h5`, `.safetensors` or `.keras` file; "
        "`imagenet`, or what a `.keras` file brings, when left out.",
    )
    preprocessing: Literal["tf", "caffe", "torch", "none"] | Numbers | None = Field(
        None,
        description="How a network of your own wants its input. Required with a `.keras` file, refused with others; "
        "the network's own when left out.",
    )
    classes: bool | Annotated[str, Field(min_length=1, max_length=200)] = Field(
        False,
        description="Whether to take a network of `keras.applications` with its classifier: its classes are the "
        "channels of its last layer then, and pictures are resized to the size it was trained on. With a `.keras` file "
        "that its output tells classes though it ends in no softmax or sigmoid, or the name of the output that does.",
    )
    class_names: PathText | None = Field(
        None,
        description="A file of the names of the classes of a network with its classifier: one on each line, or a "
        "`.json` in the form of Keras's `imagenet_class_index.json`; ImageNet's own, or numbers, when left out.",
    )
    layers: tuple[str | LayerChoice, ...] | None = Field(
        None,
        min_length=1,
        description="Layers by name or pattern, from each all or some channels; every feature layer when left out.",
    )
    recipes: dict[str, dict[str, JsonValue]] = Field(
        {"main": {"base": "default"}},
        min_length=1,
        description="Recipes by name, each changes a `base` "
        f"({', '.join(f'`{name}`' for name in RECIPES)}); the first makes the main picture.",
    )
    record: tuple[Literal["trace", "maps", "frames"], ...] = Field(
        ("trace",),
        description="What to keep beside the picture: `trace`, the score and the activations' mean, maximum and "
        "minimum at each step; `maps`, the activations before and after; `frames`, the ascent, for an animation.",
    )
    frame_every: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description=f"Steps from frame to frame; as many as make at most {FRAMES} frames when left out."
    )
    probes: Probes | None = Field(None, description="Real images to put through the network; none when left out.")
    compare: Compare | None = Field(
        None, description="Pictures of the same channels by others, to compare with; none when left out."
    )
    compute: Compute = Field(Compute(), description="Where the work runs.")
    store: AddressText = Field(
        ".atlas",
        description="Folder of the results, from the current directory, or an address such as `s3://bucket/folder`.",
    )
    output: PathText | None = Field(
        None,
        description="Folder of the site, from the current directory. One that another file made, under another title, "
        "is refused; `site/` and the file's name when left out.",
    )
    notes: PathText | None = Field(
        None,
        description="A YAML file of your own names and remarks for channels, shown on their pages and found by search; "
        "none when left out.",
    )
    site: SiteOptions = Field(SiteOptions(), description="How the pages look, and what is written beside them.")
