import pytest

from atlas.pages.links import microscope, page, picture


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
    ],
)
def test_pages_follow_the_service_s_own_names(
    network: str, layer: str, weights: str, channel: int, expected: str
) -> None:
    place = microscope(network, layer, weights)
    assert place is not None
    assert page(place, channel) == f"https://microscope.openai.com/models/{expected}"


@pytest.mark.parametrize(
    ("network", "layer", "weights"),
    [
        ("vgg19", "block4_pool", "imagenet"),
        ("vgg19", "block1_conv3", "imagenet"),
        ("vgg19", "block6_conv1", "imagenet"),
        ("vgg19", "block4_conv1", "random"),
        ("vgg19", "block4_conv1", "file"),
        ("vgg19", "block4_conv1", "embedded"),
        ("inceptionv3", "mixed11", "imagenet"),
        ("inceptionv3", "mixed04", "imagenet"),
        ("inceptionv3", "mixed", "imagenet"),
        ("inceptionv3", "stem0", "imagenet"),
        ("inceptionv3", "stem6", "imagenet"),
        ("inceptionv3", "mixed4", "random"),
        ("inceptionv3", "mixed4", "own"),
        ("inceptionv3", "", "imagenet"),
        ("resnet50v2", "conv1_conv", "imagenet"),
    ],
)
def test_no_link_where_there_is_no_such_page_or_other_weights(network: str, layer: str, weights: str) -> None:
    assert microscope(network, layer, weights) is None


def test_only_vgg19_claims_the_same_weights() -> None:
    vgg, inception, late = (
        microscope("vgg19", "block4_conv1", "imagenet"),
        microscope("inceptionv3", "mixed6", "imagenet"),
        microscope("inceptionv3", "mixed7", "imagenet"),
    )
    assert vgg is not None
    assert vgg.caveat.startswith("Same weights")
    assert inception is not None
    assert inception.caveat.startswith("Same channel order there, but not known to be the same weights")
    assert late is not None
    assert late.caveat.startswith("The channel order was tested up to mixed6 only")


def test_pictures_name_their_group_of_32_and_encode_the_tensor_twice() -> None:
    place = microscope("vgg19", "block4_conv1", "imagenet")
    assert place is not None
    assert picture(place, 47, objective="neuron", repeat=1) == (
        "https://openaipublic.blob.core.windows.net/microscopeprod/2020-07-25/2020-07-25/vgg19_caffe/"
        "lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dneuron%26op%3D"
        "conv4_1%252Fconv4_1%253A0%26repeat%3D1%26start%3D32%26steps%3D4096%26stop%3D64/channel-47.png"
    )
    assert "start%3D0%26" in picture(place, 31)
    assert "start%3D32%26" in picture(place, 32)
