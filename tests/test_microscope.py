import pytest

from atlas.microscope import BADGES, CAVEATS, Microscope, microscope, page, picture, uncertain

HOSTS = ("https://openaipublic.blob.core.windows.net", "https://oaiggoh.blob.core.windows.net")
FOLDER = "microscopeprod/2020-07-25/2020-07-25"


def place_of(network: str, layer: str, weights: str = "imagenet") -> Microscope:
    place = microscope(network, layer, weights)
    assert place is not None
    return place


@pytest.mark.parametrize(
    ("network", "layer", "weights", "channel", "expected"),
    [
        ("vgg19", "block1_conv2", "imagenet", 3, "vgg19_caffe/conv1_2_conv1_2_0/3"),
        ("vgg19", "block5_conv4", "imagenet", 511, "vgg19_caffe/conv5_4_conv5_4_0/511"),
        ("inceptionv3", "mixed0", "embedded", 0, "inceptionv3_slim/InceptionV3_InceptionV3_Mixed_5b_concat_0/0"),
        ("inceptionv3", "mixed4", "embedded", 17, "inceptionv3_slim/InceptionV3_InceptionV3_Mixed_6b_concat_0/17"),
        ("inceptionv3", "mixed10", "imagenet", 9, "inceptionv3_slim/InceptionV3_InceptionV3_Mixed_7c_concat_0/9"),
        ("inceptionv3", "stem1", "imagenet", 1, "inceptionv3_slim/InceptionV3_InceptionV3_Conv2d_1a_3x3_Relu_0/1"),
        ("inceptionv3", "stem4", "imagenet", 1, "inceptionv3_slim/InceptionV3_InceptionV3_Conv2d_3b_1x1_Relu_0/1"),
        ("inceptionv3", "mixed4", "random", 17, "inceptionv3_slim/InceptionV3_InceptionV3_Mixed_6b_concat_0/17"),
        ("vgg19", "block4_conv1", "file", 4, "vgg19_caffe/conv4_1_conv4_1_0/4"),
    ],
)
def test_pages_follow_the_service_s_own_names(
    network: str, layer: str, weights: str, channel: int, expected: str
) -> None:
    place = place_of(network, layer, weights)
    assert page(place, channel) == f"https://microscope.openai.com/models/{expected}"


@pytest.mark.parametrize(
    ("network", "layer", "channel", "address"),
    [
        ("vgg19", "block3_conv3", 195, "https://microscope.openai.com/models/vgg19_caffe/conv3_3_conv3_3_0/195"),
        ("vgg19", "block4_conv1", 4, "https://microscope.openai.com/models/vgg19_caffe/conv4_1_conv4_1_0/4"),
        ("vgg19", "block5_conv4", 4, "https://microscope.openai.com/models/vgg19_caffe/conv5_4_conv5_4_0/4"),
        (
            "inceptionv3",
            "mixed2",
            79,
            "https://microscope.openai.com/models/inceptionv3_slim/InceptionV3_InceptionV3_Mixed_5d_concat_0/79",
        ),
    ],
)
def test_pages_are_those_that_people_have_linked_to(network: str, layer: str, channel: int, address: str) -> None:
    """From the tutorial behind the recipe of that name, a notebook, and distill.pub/2020/circuits/curve-detectors."""
    assert page(place_of(network, layer), channel) == address


@pytest.mark.parametrize(
    ("network", "tensor", "channel", "objective", "repeat", "address"),
    [
        (
            "vgg19_caffe",
            "conv4_1/conv4_1:0",
            4,
            "channel",
            1,
            "vgg19_caffe/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dchannel%26op%3D"
            "conv4_1%252Fconv4_1%253A0%26repeat%3D1%26start%3D0%26steps%3D4096%26stop%3D32/channel-4.png",
        ),
        (
            "inceptionv1",
            "mixed3b:0",
            379,
            "neuron",
            0,
            "inceptionv1/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dneuron%26op%3D"
            "mixed3b%253A0%26repeat%3D0%26start%3D352%26steps%3D4096%26stop%3D384/channel-379.png",
        ),
        (
            "inceptionv1",
            "mixed3b:0",
            388,
            "neuron",
            0,
            "inceptionv1/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dneuron%26op%3D"
            "mixed3b%253A0%26repeat%3D0%26start%3D384%26steps%3D4096%26stop%3D416/channel-388.png",
        ),
        (
            "inceptionv1",
            "mixed3a:0",
            110,
            "neuron",
            1,
            "inceptionv1/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dneuron%26op%3D"
            "mixed3a%253A0%26repeat%3D1%26start%3D96%26steps%3D4096%26stop%3D128/channel-110.png",
        ),
    ],
)
@pytest.mark.parametrize("host", HOSTS)
def test_pictures_are_those_that_people_have_shown(
    network: str, tensor: str, channel: int, objective: str, repeat: int, address: str, host: str
) -> None:
    """The first in the tutorial behind the recipe of that name, the others in notes on Olah et al. 2020, Zoom In."""
    place = Microscope(network, tensor, (), "weights")
    base = f"{host}/{FOLDER}"
    assert picture(place, channel, objective=objective, repeat=repeat, base=base) == f"{base}/{address}"


def test_pictures_name_their_group_of_32_and_encode_the_tensor_twice() -> None:
    place = place_of("vgg19", "block4_conv1")
    assert picture(place, 47, objective="neuron", repeat=1) == (
        "https://openaipublic.blob.core.windows.net/microscopeprod/2020-07-25/2020-07-25/vgg19_caffe/"
        "lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dneuron%26op%3D"
        "conv4_1%252Fconv4_1%253A0%26repeat%3D1%26start%3D32%26steps%3D4096%26stop%3D64/channel-47.png"
    )
    assert "start%3D0%26" in picture(place, 31)
    assert "start%3D32%26" in picture(place, 32)
    mixed = picture(place_of("inceptionv3", "mixed2"), 287)
    assert "%26op%3DInceptionV3%252FInceptionV3%252FMixed_5d%252Fconcat%253A0%26repeat%3D0%26start%3D256%26" in mixed


@pytest.mark.parametrize(
    ("network", "layer", "weights"),
    [
        ("vgg19", "block4_pool", "imagenet"),
        ("vgg19", "block1_conv3", "imagenet"),
        ("vgg19", "block6_conv1", "imagenet"),
        ("vgg19", "block4_pool", "random"),
        ("vgg19", "block4_conv1", "embedded"),
        ("inceptionv3", "mixed11", "imagenet"),
        ("inceptionv3", "mixed04", "imagenet"),
        ("inceptionv3", "mixed", "imagenet"),
        ("inceptionv3", "stem0", "imagenet"),
        ("inceptionv3", "stem6", "imagenet"),
        ("inceptionv3", "mixed11", "random"),
        ("inceptionv3", "predictions", "file"),
        ("inceptionv3", "", "imagenet"),
        ("resnet50v2", "conv1_conv", "imagenet"),
        ("vgg16", "block4_conv1", "imagenet"),
        ("own-0123456789ab", "block4_conv1", "own"),
    ],
)
def test_no_link_where_there_is_no_such_page(network: str, layer: str, weights: str) -> None:
    assert microscope(network, layer, weights) is None


@pytest.mark.parametrize(
    ("network", "layers", "weights", "same"),
    [
        ("vgg19", ("block1_conv1", "block4_conv1", "block5_conv4"), ("imagenet",), "weights"),
        ("inceptionv3", ("stem1", "stem5", "mixed0", "mixed6"), ("imagenet", "embedded"), "order"),
        ("inceptionv3", ("mixed7", "mixed10"), ("imagenet", "embedded"), "untested"),
        ("inceptionv3", ("stem1", "mixed2", "mixed10"), ("random", "own", "file"), "other"),
        ("vgg19", ("block4_conv1",), ("random", "own", "file"), "other"),
    ],
)
def test_how_far_it_is_the_same(network: str, layers: tuple[str, ...], weights: tuple[str, ...], same: str) -> None:
    for layer in layers:
        for kind in weights:
            place = place_of(network, layer, kind)
            assert place.same == same, (layer, kind)


def test_only_the_same_weights_claim_to_be_the_same() -> None:
    claims = [same for same in BADGES if "same weights" in BADGES[same] or CAVEATS[same].startswith("Same weights")]
    assert claims == ["weights"]
    assert list(BADGES) == list(CAVEATS)
    late = place_of("inceptionv3", "mixed7")
    assert (late.badge, late.caveat) == (BADGES["untested"], CAVEATS["untested"])
    assert late.caveat.startswith("The channel order was tested up to mixed6 only")


@pytest.mark.parametrize(
    ("network", "layer", "op", "folder"),
    [
        ("inceptionv3", "mixed2", ("Mixed_5d", "5d"), "InceptionV3_InceptionV3_Mixed_5d_concat_0"),
        ("inceptionv3", "mixed10", ("Mixed_7c", "7c"), "InceptionV3_InceptionV3_Mixed_7c_concat_0"),
        ("inceptionv3", "stem1", ("Conv2d_1a_3x3", "1a_3x3"), "InceptionV3_InceptionV3_Conv2d_1a_3x3_Relu_0"),
        ("vgg19", "block4_conv1", ("conv4_1", "4_1"), "conv4_1_conv4_1_0"),
    ],
)
def test_a_layer_has_names_for_files_and_folders(network: str, layer: str, op: tuple[str, str], folder: str) -> None:
    place = place_of(network, layer)
    assert (place.op, place.folder) == (op, folder)


def test_of_uncertain_networks_there_is_the_page_of_the_model_only() -> None:
    found = uncertain("resnet50v2")
    assert found is not None
    assert found.address == "https://microscope.openai.com/models/resnetv2_50_slim"
    assert "not certain" in found.caveat
    assert [uncertain(network) for network in ("vgg19", "inceptionv3", "resnet50", "resnet101v2", "")] == [None] * 5
