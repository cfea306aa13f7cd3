"""The configuration: what the keys of a YAML file mean, their types and their defaults.

``spec.load`` reads files into these models; every default stands here or in ``spec.recipe``, once.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from atlas.spec.comparing import Compare
from atlas.spec.frozen import AddressText, Frozen, PathText
from atlas.spec.probing import Probes
from atlas.spec.recipes import RECIPES

BASE_URL = r"^https?://[A-Za-z0-9][A-Za-z0-9.:-]*(/[A-Za-z0-9._~-]+)*/?$"
FRAMES = 48  # of an ascent, when nothing else is asked for
CHANNELS = re.compile(r"\s*\d+\s*(-\s*\d+\s*)?(,\s*\d+\s*(-\s*\d+\s*)?)*")
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

    name: str = Field(description="A layer's name, or a pattern such as block?_pool.")
    channels: Annotated[str, AfterValidator(_channels)] | Annotated[int, Field(ge=0)] | None = Field(
        None, description='Channels such as "0-63,100"; every channel when left out.'
    )


class Numbers(Frozen):
    """Preprocessing in numbers: the network's input is ``picture[..., order] * scale + offset``, picture in [0, 1]."""

    order: Literal["rgb", "bgr"] = Field("rgb", description="The network's channel order.")
    scale: tuple[float, float, float] = Field(
        (255.0, 255.0, 255.0), description="Factor of each of the network's channels."
    )
    offset: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="Added after the factor.")


class Compute(Frozen):
    """Where the work runs. With one thread for each worker, nothing here changes a picture."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = Field(
        "auto", description="Worker processes; auto is one for each core this process may use."
    )
    threads_per_worker: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="TensorFlow threads in each worker. With 1 the same bytes come out on every run."
    )
    batch: Literal["auto", 2, 4, 8, 16, 32, 64, 128, 256] = Field(
        "auto", description="Channels ascended together; auto goes by the picture's size, and takes more on a GPU."
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="What workers compute on; auto takes GPUs where there are some, one for each worker."
    )
    backend: Literal["processes", "dask", "sequential"] = Field(
        "processes",
        description="processes are workers on this machine; dask is a cluster; sequential works in this process, for "
        "debugging.",
    )
    scheduler: Annotated[str, Field(min_length=1, max_length=300)] | None = Field(
        None,
        description="Address of a Dask scheduler, such as tcp://10.0.0.1:8786; a cluster on this machine for this run "
        "when left out.",
    )


class SiteOptions(Frozen):
    """How the pages look, and what is written beside them. Nothing here changes a picture."""

    base_url: Annotated[str, Field(pattern=BASE_URL, max_length=300)] | None = Field(
        None,
        description="The address that the atlas's folder will have, such as https://example.org/vgg19/; with it there "
        "are social cards and a sitemap.xml.",
    )
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = Field(
        None,
        description='The colour of links and marks, such as "#a5401f"; it is made darker or lighter to be legible.',
    )
    logo: PathText | None = Field(
        None, description="A picture (.svg, .png, .webp) in the place of the site's own mark."
    )
    footer: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="A sentence at the foot of every page."
    )
    templates: PathText | None = Field(
        None, description="A folder of templates of your own, which take the place of those of the same name."
    )
    shelf: bool = Field(
        True,
        description="Link every page to the list of atlases beside it, where there is one; false for a folder that is "
        "hosted alone.",
    )
    zip: bool = Field(False, description="Write pictures.zip with every picture beside the pages.")


class Config(Frozen):
    """One atlas: a network, its layers, the recipes, and where the work and the results go."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The site's title; the network's own when left out."
    )
    network: PathText = Field(
        description="A network's id (vgg19, inceptionv3, resnet50, ...) or the path of a .keras file."
    )
    weights: PathText | None = Field(
        None,
        description="imagenet (Keras downloads it), embedded (inceptionv3 to mixed4), random or random:SEED, or a path "
        "(.weights.h5, .h5, .safetensors, .keras). imagenet when left out; a .keras file brings its own.",
    )
    preprocessing: Literal["tf", "caffe", "torch", "none"] | Numbers | None = Field(
        None, description="How a network of one's own wants its input; required for a .keras file, refused for others."
    )
    classes: bool = Field(
        False,
        description="Take a network of keras.applications with its classifier: its classes are channels of its last "
        "layer then, and pictures are resized to the size it was trained on.",
    )
    class_names: PathText | None = Field(
        None,
        description="A file of the names of the classes of a network with its classifier: one on each line, or a .json "
        "in the form of Keras's imagenet_class_index.json. ImageNet's own names when left out, or numbers.",
    )
    layers: tuple[str | LayerChoice, ...] | None = Field(
        None,
        min_length=1,
        description="Layers by name or pattern, from each all or some channels; every feature layer when left out.",
    )
    recipes: dict[str, dict[str, JsonValue]] = Field(
        {"main": {"base": "default"}},
        min_length=1,
        description=f"Named recipes, each changes a base ({', '.join(RECIPES)}); the first is the main picture.",
    )
    record: tuple[Literal["trace", "maps", "frames"], ...] = Field(
        ("trace",),
        description="What to keep beside the picture: trace (score, mean, max and min at each step), maps (activations "
        "before and after), frames (the ascent, for an animation).",
    )
    frame_every: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description=f"Steps from frame to frame; when left out, as many as make at most {FRAMES} frames."
    )
    probes: Probes | None = Field(None, description="Real images to put through the network.")
    compare: Compare | None = Field(None, description="Pictures of the same channels by others, to compare with.")
    compute: Compute = Field(Compute(), description="Where the work runs.")
    store: AddressText = Field(
        ".atlas",
        description="Folder of the results, from the current directory, or an address such as s3://bucket/folder.",
    )
    output: PathText | None = Field(
        None, description="Folder of the site, from the current directory; site/NAME when left out."
    )
    notes: PathText | None = Field(
        None, description="A YAML file of your own names and remarks for channels, shown on pages and in search."
    )
    site: SiteOptions = Field(SiteOptions(), description="How the pages look, and what is written beside them.")
