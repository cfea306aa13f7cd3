"""What a worker keeps from batch to batch goes by content: of photos, of the network's file, of its weights."""

import gc
import shutil
import weakref
from dataclasses import replace

import pytest
from PIL import Image

from atlas.ascent import render as rendering
from atlas.engine import worker
from atlas.engine.encode import pixels
from atlas.engine.worker import work
from atlas.errors import AtlasError
from atlas.images.loader import photo_name
from atlas.networks.catalog import facts
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.objectives import Caricature, Channel
from atlas.spec.plan import Job, job_key
from atlas.spec.slots import Pixel
from atlas.store.store import Store


@pytest.fixture
def kernels(monkeypatch):
    """How often a kernel is compiled; nothing is kept of the tests before."""
    from atlas.ascent import kernel

    made, real = [], kernel.Kernel
    monkeypatch.setattr(kernel, "Kernel", lambda *given: made.append(given[1]) or real(*given))
    worker._traced.clear()
    return made


def with_photo(asked, photo):
    """The batch with a picture that begins with a photo, as planned now, under a key of its own."""
    recipe = asked.recipe.model_copy(update={"start": str(photo), "parameterization": Pixel(), "steps": 1})
    jobs = tuple(Job(job.channel, job_key(photo_name(photo), job.channel)) for job in asked.jobs)
    return replace(asked, recipe=recipe, jobs=jobs, photos=((str(photo), photo_name(photo)),))


def test_a_kernel_is_kept_while_its_photo_stays_and_no_longer(batch, kernels, tmp_path):
    """A cluster's workers, and one who builds in a notebook, outlive a build."""
    photo = tmp_path / "photo.png"
    begun = []
    for level in (40, 200):
        Image.new("RGB", (32, 32), (level,) * 3).save(photo, compress_level=0)
        asked = with_photo(batch([3], record=("frames",)), photo)
        objective = (Channel(), Caricature(photo=str(photo)))
        asked = replace(asked, recipe=asked.recipe.model_copy(update={"objective": objective}), frame_every=1)
        assert work(asked).done[0].state == "made"
        sheet = Store(asked.setting.store).get(asked.jobs[0].key).artefacts["frames"]
        begun.append(pixels(sheet.tobytes())[:32, :32].mean())
        assert work(replace(asked, jobs=(Job(4, job_key("other", level)),))).done[0].state == "made"
    assert begun == pytest.approx([40, 200], abs=3)
    assert kernels == ["both", "both"]


def test_a_photo_that_changes_on_the_way_is_one_sentence_and_no_entry(batch, tmp_path, monkeypatch):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (32, 32)).save(photo)
    asked = with_photo(batch([3]), photo)
    render = rendering.render

    def meanwhile(*given):
        made = render(*given)
        Image.new("RGB", (32, 32), "red").save(photo)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(rendering, "render", meanwhile)
        with pytest.raises(AtlasError, match=r"photo\.png: changed while the build ran; build again"):
            work(asked)
    with pytest.raises(AtlasError, match=r"photo\.png: changed while the build ran; build again"):
        work(asked)  # before anything is made of it
    assert list(Store(asked.setting.store).entries()) == []


def test_another_network_under_the_same_name_is_read_anew_and_lets_the_first_go(batch, kernels, toy, tmp_path):
    import keras

    path = tmp_path / "s.keras"
    shutil.copyfile(toy, path)
    ref = NetworkRef(str(path), "random", 1, Preprocessing("rgb", (2.0,) * 3, (-1.0,) * 3))
    asked = batch([3], layer="left")
    first = replace(asked, setting=replace(asked.setting, ref=ref, network=facts(ref).id))
    assert work(first).done[0].state == "activated"
    kept = weakref.ref(worker.network(first.setting).model)
    picture = keras.Input((None, None, 3))
    keras.Model(picture, keras.layers.Conv2D(5, 3, name="left")(picture)).save(path)
    stale = replace(first, jobs=(Job(4, job_key("stale", 4)),))
    worker._network.cache_clear()  # as in a worker that begins now
    with pytest.raises(AtlasError, match=r"s\.keras: changed while the build ran; build again"):
        work(stale)
    second = replace(stale, setting=replace(first.setting, network=facts(ref).id))
    assert work(second).done[0].state == "raised"
    assert worker.network(second.setting).facts.layer("left").channels == 5
    assert len(worker._traced) == 1
    gc.collect()
    assert kept() is None
