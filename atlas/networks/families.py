"""The classifiers of keras.applications by family: names, sizes, papers and preprocessing. No TensorFlow."""

import difflib
import os
import re
from dataclasses import dataclass

from atlas.errors import NetworkError
from atlas.spec.facts import Preprocessing

_MEAN = (0.485, 0.456, 0.406)  # ImageNet, red, green, blue, as in keras.applications
_DEVIATION = (0.229, 0.224, 0.225)

PREPROCESSING = {
    "none": Preprocessing(),
    "tf": Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)),
    "caffe": Preprocessing("bgr", (255.0, 255.0, 255.0), (-103.939, -116.779, -123.68)),
    "torch": Preprocessing(
        "rgb",
        (1 / _DEVIATION[0], 1 / _DEVIATION[1], 1 / _DEVIATION[2]),
        (-_MEAN[0] / _DEVIATION[0], -_MEAN[1] / _DEVIATION[1], -_MEAN[2] / _DEVIATION[2]),
    ),
}


def preprocessing(name: str) -> Preprocessing:
    """The preprocessing of that name: what a network expects of a picture in [0, 1].

    ``tf`` scales to [-1, 1]. ``caffe`` turns RGB into BGR and subtracts the ImageNet means in 0..255. ``torch``
    subtracts the ImageNet means in [0, 1] and divides by their deviations. ``none`` hands over pixels as 0..255, for
    networks that preprocess inside or were trained on pixels as they are.

    Raises: NetworkError for another name.
    """
    if name not in PREPROCESSING:
        raise NetworkError(f"expected a preprocessing of {' | '.join(PREPROCESSING)}, received {name!r}")
    return PREPROCESSING[name]


@dataclass(frozen=True)
class Family:
    """Networks of one paper.

    ``sizes`` maps Keras's class names to the side of the pictures they were trained on, in pixels; ``smallest`` is the
    smallest side that Keras accepts; ``free`` says whether the architecture takes any size above. ``licence`` is that
    of the ImageNet weights.
    """

    module: str
    sizes: dict[str, int]
    preprocessing: str
    paper: str
    smallest: int = 32
    free: bool = True
    licence: str = "as stated by keras.applications"

    def keras_name(self, network: str) -> str:
        """``vgg19`` -> ``VGG19``, the class or function in keras.applications."""
        return next(name for name in self.sizes if name.lower() == network)

    def size(self, network: str) -> int:
        """The side of the pictures it was trained on, in pixels."""
        return self.sizes[self.keras_name(network)]


FAMILIES = (
    Family(
        "vgg16",
        {"VGG16": 224},
        "caffe",
        "Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition, "
        "https://arxiv.org/abs/1409.1556",
        licence="CC BY 4.0 (Visual Geometry Group, Oxford)",
    ),
    Family(
        "vgg19",
        {"VGG19": 224},
        "caffe",
        "Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition, "
        "https://arxiv.org/abs/1409.1556",
        licence="CC BY 4.0 (Visual Geometry Group, Oxford)",
    ),
    Family(
        "inception_v3",
        {"InceptionV3": 299},
        "tf",
        "Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision, https://arxiv.org/abs/1512.00567",
        smallest=75,
        licence="Apache-2.0 (tensorflow/models)",
    ),
    Family(
        "inception_resnet_v2",
        {"InceptionResNetV2": 299},
        "tf",
        "Szegedy et al. 2017, Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning, "
        "https://arxiv.org/abs/1602.07261",
        smallest=75,
    ),
    Family(
        "xception",
        {"Xception": 299},
        "tf",
        "Chollet 2017, Xception: Deep Learning with Depthwise Separable Convolutions, https://arxiv.org/abs/1610.02357",
        smallest=71,
    ),
    Family(
        "resnet",
        {"ResNet50": 224, "ResNet101": 224, "ResNet152": 224},
        "caffe",
        "He et al. 2016, Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385",
    ),
    Family(
        "resnet_v2",
        {"ResNet50V2": 224, "ResNet101V2": 224, "ResNet152V2": 224},
        "tf",
        "He et al. 2016, Identity Mappings in Deep Residual Networks, https://arxiv.org/abs/1603.05027",
    ),
    Family(
        "mobilenet",
        {"MobileNet": 224},
        "tf",
        "Howard et al. 2017, MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications, "
        "https://arxiv.org/abs/1704.04861",
    ),
    Family(
        "mobilenet_v2",
        {"MobileNetV2": 224},
        "tf",
        "Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, https://arxiv.org/abs/1801.04381",
    ),
    Family(
        "mobilenet_v3",
        {"MobileNetV3Small": 224, "MobileNetV3Large": 224},
        "none",
        "Howard et al. 2019, Searching for MobileNetV3, https://arxiv.org/abs/1905.02244",
    ),
    Family(
        "densenet",
        {"DenseNet121": 224, "DenseNet169": 224, "DenseNet201": 224},
        "torch",
        "Huang et al. 2017, Densely Connected Convolutional Networks, https://arxiv.org/abs/1608.06993",
    ),
    Family(
        "nasnet",
        {"NASNetMobile": 224, "NASNetLarge": 331},
        "tf",
        "Zoph et al. 2018, Learning Transferable Architectures for Scalable Image Recognition, "
        "https://arxiv.org/abs/1707.07012",
        free=False,
    ),
    Family(
        "efficientnet",
        {
            "EfficientNetB0": 224,
            "EfficientNetB1": 240,
            "EfficientNetB2": 260,
            "EfficientNetB3": 300,
            "EfficientNetB4": 380,
            "EfficientNetB5": 456,
            "EfficientNetB6": 528,
            "EfficientNetB7": 600,
        },
        "none",
        "Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, "
        "https://arxiv.org/abs/1905.11946",
    ),
    Family(
        "efficientnet_v2",
        {
            "EfficientNetV2B0": 224,
            "EfficientNetV2B1": 240,
            "EfficientNetV2B2": 260,
            "EfficientNetV2B3": 300,
            "EfficientNetV2S": 384,
            "EfficientNetV2M": 480,
            "EfficientNetV2L": 480,
        },
        "none",
        "Tan and Le 2021, EfficientNetV2: Smaller Models and Faster Training, https://arxiv.org/abs/2104.00298",
    ),
    Family(
        "convnext",
        {
            "ConvNeXtTiny": 224,
            "ConvNeXtSmall": 224,
            "ConvNeXtBase": 224,
            "ConvNeXtLarge": 224,
            "ConvNeXtXLarge": 224,
        },
        "none",
        "Liu et al. 2022, A ConvNet for the 2020s, https://arxiv.org/abs/2201.03545",
    ),
)

_BY_ID = {name.lower(): family for family in FAMILIES for name in family.sizes}


def networks() -> tuple[str, ...]:
    """The ids of the networks known by name: every classifier of keras.applications, in alphabetical order."""
    return tuple(sorted(_BY_ID))


def family_of(network: str) -> Family:
    """The family of a network known by name.

    Raises: NetworkError for another one: with the right name where one is near, else with those of its family, else
    with all; or, where a file or a folder of that name lies there, with how to name it.
    """
    if network not in _BY_ID:
        raise NetworkError(
            f"expected a network of keras.applications or a .keras file, received {network!r}; {_hint(network)}"
        )
    return _BY_ID[network]


def _hint(network: str) -> str:
    if os.path.exists(network):  # noqa: PTH110 (Path.exists raises at names that are too long)
        return f"to name what lies here by that name, write ./{network}"
    plain = re.sub(r"[^a-z0-9]", "", network.lower())
    longer = tuple(name for name in networks() if plain and name.startswith(plain))
    if plain in _BY_ID or len(longer) == 1:
        return f"did you mean {plain if plain in _BY_ID else longer[0]}?"
    alike = [name for name in networks() if _digits(name) == _digits(plain)]  # another number is another network
    near = difflib.get_close_matches(plain, alike, n=1, cutoff=0.8)
    if near and not longer:
        return f"did you mean {near[0]}?"
    known = longer or _relatives(plain) or networks()
    return f"known are {', '.join(known)}; save any other with Keras and give its .keras file"


def _relatives(plain: str) -> tuple[str, ...]:
    """The networks of the families that a word begins with: those of ResNet for ``resnet18``."""
    families = [family for family in FAMILIES if plain.startswith(re.split(r"[^a-z]", family.module)[0])]
    return tuple(sorted(name.lower() for family in families for name in family.sizes))


def _digits(text: str) -> list[str]:
    return sorted(re.sub(r"\D", "", text))
