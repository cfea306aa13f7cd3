"""Which real images go through the network, and what is shown of them."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from atlas.spec.frozen import Frozen, NameText

Crop = Literal["middle", "squeeze"]
CROPS = get_args(Crop)
PHOTOS = 24  # images at most whose feature maps are shown


class Probes(Frozen):
    """Real images that are put through the network, and what is shown of them."""

    images: NameText = Field(
        description="A folder of images (JPEG, PNG, WebP, GIF, TIFF, BMP), or a pattern such as `photos/**/*.jpg`; the "
        "first folder in it that an image lies in is its label. `scikit-image` means the pictures that this package "
        "brings (`pip install atlas-microscope[demo]`)."
    )
    limit: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="At most so many images, drawn by the seed; all of them when left out."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="The seed of what is drawn: images and layouts.")
    size: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        None,
        description="Side in pixels that images are shown to the network at; that of the network's training when left "
        "out.",
    )
    crop: Crop = Field(
        "middle", description="`middle` takes the square in an image's middle; `squeeze` makes all of it square."
    )
    layout: Literal["pca", "tsne", "umap"] = Field(
        "pca",
        description="How pictures and images are laid out on a layer's map; `umap` needs a package more "
        "(`pip install atlas-microscope[umap]`).",
    )
    exemplars: Annotated[int, Field(ge=1, le=32)] = Field(
        8, description="How many images that excite it most each channel has; half as many show the range below."
    )
    publish_images: bool = Field(
        True, description="Whether pages show images and their names; `false` leaves numbers and labels."
    )
    photos: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(
        (),
        max_length=PHOTOS,
        description="Images whose feature maps are shown layer by layer: names, or patterns such as `cats/*.jpg`, at "
        f"most {PHOTOS} images in all.",
    )
