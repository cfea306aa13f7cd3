"""``atlas.feature_maps`` and ``atlas.exemplars`` against the network's own outputs."""

import numpy as np
import pytest
from PIL import Image

import atlas
from atlas.errors import AtlasError
from atlas.networks.load import load

GIVEN = {"weights": "random:1", "preprocessing": "tf"}


def outputs(toy_ref, layer, pixels):
    """What Keras computes: ``(n, h, w, channels)`` for pixels ``(n, h, w, 3) uint8``."""
    import keras

    model = load(toy_ref).model
    inner = keras.Model(model.input, model.get_layer(layer).output)
    return inner(pixels.astype(np.float32) / 127.5 - 1, training=False).numpy()


def pixels_of(folder):
    paths = sorted(folder.rglob("*.png"), key=lambda path: path.relative_to(folder).as_posix())
    return paths, np.stack([np.asarray(Image.open(path)) for path in paths])


def test_feature_maps_are_keras_s_own_pools_too(toy, toy_ref, folder):
    paths, pixels = pixels_of(folder)
    found = atlas.feature_maps(toy, paths, size=32, **GIVEN)
    assert list(found) == ["first", "pool", "left", "right", "both"]
    for layer, maps in found.items():
        assert maps.dtype == np.float32
        np.testing.assert_allclose(maps, outputs(toy_ref, layer, pixels), atol=2e-5)
    alone = atlas.feature_maps(toy, pixels[3], ["pool"], **GIVEN)
    np.testing.assert_allclose(alone["pool"][0], found["pool"][3], atol=1e-6)


def test_exemplars_are_those_with_the_largest_activations(toy, toy_ref, folder):
    paths, pixels = pixels_of(folder)
    found = atlas.exemplars(toy, "both", folder, [4, 11], k=3, size=32, **GIVEN)
    maps = outputs(toy_ref, "both", pixels)
    names = [path.relative_to(folder).as_posix() for path in paths]
    assert sorted(source.name for source in found.sources) == names
    assert {source.label for source in found.sources} == {"noise", "stripes"}
    for channel in (4, 11):
        largest = dict(zip(names, maps[..., channel].max(axis=(1, 2)), strict=True))
        top = found.top(channel)
        assert len({source.name for source, _ in top}) == 3
        for (source, value), best in zip(top, sorted(largest.values(), reverse=True), strict=False):
            np.testing.assert_allclose([value, largest[source.name]], best, rtol=1e-5)  # of equal ones, any
    alone = atlas.exemplars(toy, "both", folder, np.int64(4), k=3, size=32, **GIVEN)
    assert alone.top(4) == found.top(4)
    assert found.crop(4).shape == (found.sight, found.sight, 3)
    assert atlas.exemplars(toy, "both", folder, k=1, size=32, **GIVEN).findings.top.shape == (1, 24)


def test_images_that_cannot_be_shown_are_named(toy, folder, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.jpg").write_text("no")
    with pytest.raises(AtlasError, match="received 1 that cannot"):
        atlas.exemplars(toy, "both", tmp_path, size=32, **GIVEN)
    Image.new("RGB", (40, 32), "red").save(tmp_path / "a" / "red.png")
    found = atlas.exemplars(toy, "both", tmp_path, 0, size=32, **GIVEN)
    assert list(found.skipped) == ["a/broken.jpg"]
    with pytest.raises(AtlasError, match="expected an image, received"):
        atlas.feature_maps(toy, tmp_path / "a" / "broken.jpg", **GIVEN)
    with pytest.raises(AtlasError, match="expected at least one image"):
        atlas.feature_maps(toy, [], **GIVEN)
    with pytest.raises(AtlasError, match="of one size"):
        atlas.feature_maps(toy, [np.zeros((32, 32, 3), np.uint8), np.zeros((36, 32, 3), np.uint8)], **GIVEN)
    with pytest.raises(AtlasError, match=r"no\.png: expected an image, received: No such file"):
        atlas.feature_maps(toy, tmp_path / "no.png", **GIVEN)
    with pytest.raises(AtlasError, match="crop: expected middle or squeeze, received 'center'"):
        atlas.feature_maps(toy, tmp_path / "a" / "red.png", crop="center", **GIVEN)
    with pytest.raises(AtlasError, match="layers: expected at least one layer"):
        atlas.feature_maps(toy, tmp_path / "a" / "red.png", [], **GIVEN)
    with pytest.raises(AtlasError, match="size: expected at least"):
        atlas.feature_maps(toy, tmp_path / "a" / "red.png", size=-1, **GIVEN)
    for wrong in ({"k": 0}, {"limit": -1}, {"size": 2}):
        with pytest.raises(AtlasError, match=f"probes.{'exemplars' if 'k' in wrong else next(iter(wrong))}: "):
            atlas.exemplars(toy, "both", tmp_path, 0, **wrong, **GIVEN)
    with pytest.raises(AtlasError, match="uint8"):
        atlas.feature_maps(toy, np.zeros((32, 32, 3)), **GIVEN)
