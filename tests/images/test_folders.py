"""Which images are found: folders, patterns, labels, limits, contents that are read once."""

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import atlas.resources
from atlas import content
from atlas.canonical import sealed, unsealed
from atlas.errors import AtlasError
from atlas.images import folders
from atlas.images.folders import find_images, find_photos
from atlas.images.loader import open_image
from tests.images.test_loader import noise, write
from tests.test_content import coarse

__all__ = ["coarse"]


def names(folder: Path, *more: object) -> list[str]:
    return sorted(source.name for source in find_images(str(folder), *more))


def test_images_of_a_folder_with_labels_by_its_own_folders(tmp_path):
    for number, name in enumerate(["a.jpg", "b.JPEG", "cats/c.png", "cats/old/d.webp", "dogs/é ü.png", "dogs/猫.png"]):
        write(tmp_path / name, noise(9, 9, number))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    found = find_images(str(tmp_path))
    assert {source.name: source.label for source in found} == {
        "a.jpg": "",
        "b.JPEG": "",
        "cats/c.png": "cats",
        "cats/old/d.webp": "cats",
        "dogs/é ü.png": "dogs",
        "dogs/猫.png": "dogs",
    }
    for source in found:
        assert source.path == str(tmp_path / source.name)
        assert source.digest == sha256(Path(source.path).read_bytes()).hexdigest()
    assert [source.digest for source in found] == sorted(source.digest for source in found)


def test_a_name_that_is_no_text_is_made_one(tmp_path):
    write(tmp_path / "a.png", noise(9, 9))
    (tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    [source] = find_images(str(tmp_path))
    assert source.name == "\ufffd.png"
    assert source.name.encode()
    assert open_image(source.path, 9, "middle").shape == (9, 9, 3)


@pytest.mark.parametrize(
    ("pattern", "found", "labels"),
    [
        ("*.png", ["a.png"], {""}),
        ("**/*.png", ["a.png", "x/b.png", "x/y/c.png"], {"", "x"}),
        ("**", ["a.png", "d.jpg", "x/b.png", "x/y/c.png"], {"", "x"}),
        ("x/**/*.png", ["b.png", "y/c.png"], {"", "y"}),
        ("?/*.png", ["x/b.png"], {"x"}),
        ("[xz]/y/*", ["x/y/c.png"], {"x"}),
    ],
)
def test_patterns(tmp_path, pattern, found, labels):
    for number, name in enumerate(["a.png", "d.jpg", "x/b.png", "x/y/c.png"]):
        write(tmp_path / name, noise(9, 9, number))
    assert names(tmp_path / pattern) == found
    assert {source.label for source in find_images(str(tmp_path / pattern))} == labels


HIDDEN = [
    *(".ipynb_checkpoints/a-checkpoint.png", ".thumbnails/large/b.png", "cats/.cache/c.png", "cats/._d.png", ".e.png"),
    *("__MACOSX/cats/f.png", "@eaDir/g.png", "dogs/@eaDir/h.jpg", "$RECYCLE.BIN/i.png", "lost+found/j.png"),
]


@pytest.mark.parametrize("pattern", ["", "*/*", "**/*.png", "**"])
def test_what_machines_put_beside_images_is_no_label_and_no_image(tmp_path, pattern):
    folder = tmp_path / ".photos"  # which was asked for by its name
    for number, name in enumerate([*HIDDEN, "cats/a.png", "dogs/#1/b.png", "_/c.png"]):
        write(folder / name, noise(9, 9, number))
    (folder / "cats" / "Thumbs.db").write_text("no image")
    found = {source.name: source.label for source in find_images(str(folder / pattern))}
    assert found == {"cats/a.png": "cats", "dogs/#1/b.png": "dogs", "_/c.png": "_"} or pattern == "*/*"
    assert not set(found.values()) - {"cats", "dogs", "_"}
    assert find_photos(str(folder), ["*.png"], 24)[0].label in ("_", "cats", "dogs")
    with pytest.raises(AtlasError, match="which none of its 3 images has"):
        find_photos(str(folder), ["__MACOSX/*"], 24)


def test_a_pattern_may_spell_out_what_is_hidden(tmp_path):
    for number, name in enumerate([".private/a.png", ".private/.more/b.png", ".other/c.png", "x/.private/d.png"]):
        write(tmp_path / name, noise(9, 9, number))
    assert names(tmp_path / ".private") == ["a.png"]
    assert names(tmp_path / "**" / ".private" / "*.png") == [".private/a.png", "x/.private/d.png"]


def test_a_second_write_of_as_many_bytes_in_one_tick_is_seen(tmp_path, coarse):
    folder = tmp_path / "folder"
    path = Path(write(folder / "0.png", noise(9, 9)))
    for last in (b"\0", b"\1", b"\2"):
        path.write_bytes(path.read_bytes()[:-1] + last)
        [found] = find_images(str(folder))
        assert found.digest == sha256(path.read_bytes()).hexdigest()


def test_links_are_followed_but_not_round_in_circles(tmp_path):
    folder, other = tmp_path / "folder", tmp_path / "other"
    write(folder / "a.png", noise(9, 9))
    write(other / "b.png", noise(9, 9, 1))
    (folder / "c.png").symlink_to(folder / "a.png")
    (folder / "gone.png").symlink_to(tmp_path / "nothing.png")
    (folder / "round.png").symlink_to(folder / "round.png")
    (folder / "linked").symlink_to(other)
    (folder / "itself").symlink_to(folder)
    (other / "back").symlink_to(folder)
    assert names(folder) == ["a.png", "c.png", "linked/b.png"]
    (tmp_path / "way").symlink_to(folder)
    assert names(tmp_path / "way") == ["a.png", "c.png", "linked/b.png"]


def test_a_limit_draws_by_the_seed_and_most_stay_when_others_come(tmp_path):
    for number in range(40):
        write(tmp_path / f"{number}.png", noise(9, 9, number))
    drawn = names(tmp_path, 10, 1)
    assert len(drawn) == 10
    assert names(tmp_path, 10, 1) == drawn
    assert names(tmp_path, 10, 2) != drawn
    assert names(tmp_path, 40, 1) == names(tmp_path, 99, 1) == names(tmp_path)
    assert set(names(tmp_path, 9, 1)) < set(drawn)
    write(tmp_path / "more.png", noise(9, 9, 99))
    assert len(set(names(tmp_path, 10, 1)) & set(drawn)) >= 9
    counts = [sum(f"{number}.png" in names(tmp_path, 10, seed) for seed in range(40)) for number in range(40)]
    assert min(counts) > 0  # each is drawn by some seed
    assert max(counts) < 25


def test_duplicates_are_images_of_their_own_with_one_digest(tmp_path):
    for name in ("b.png", "a.png", "x/c.png"):
        write(tmp_path / name, noise(9, 9))
    found = find_images(str(tmp_path))
    assert [source.name for source in found] == ["a.png", "b.png", "x/c.png"]
    assert len({source.digest for source in found}) == 1


@pytest.fixture
def reads(monkeypatch):
    """The names of files whose content is read. What was written is taken for settled at once."""
    found, read = [], folders._digest
    monkeypatch.setattr(content, "SETTLED", -(10**18))

    def counted(path):
        found.append(Path(path).name)
        return read(path)

    monkeypatch.setattr(folders, "_digest", counted)
    return found


def test_content_is_read_once_and_again_when_the_file_has_changed(tmp_path, reads):
    folder = tmp_path / "folder"
    for number in range(3):
        write(folder / f"{number}.png", noise(9, 9, number))
    first = find_images(str(folder))
    assert sorted(reads) == ["0.png", "1.png", "2.png"]
    reads.clear()
    assert find_images(str(folder)) == first
    assert find_images(str(folder / "*.png")) == first
    assert reads == []
    before = (folder / "1.png").stat()
    data = bytearray((folder / "1.png").read_bytes())
    data[-1] ^= 1  # of the same size
    (folder / "1.png").write_bytes(data)
    os.utime(folder / "1.png", ns=(before.st_atime_ns, before.st_mtime_ns))  # as copies do: the time is no help
    again = find_images(str(folder))
    assert reads == ["1.png"]
    assert {one.digest for one in again} - {one.digest for one in first} == {sha256(data).hexdigest()}
    reads.clear()
    write(folder / "3.png", noise(9, 9, 3))
    (folder / "0.png").unlink()
    assert [source.name for source in sorted(find_images(str(folder)), key=lambda one: one.name)] == [
        "1.png",
        "2.png",
        "3.png",
    ]
    assert reads == ["3.png"]


@pytest.mark.parametrize("garbage", ["", "[1, 2]", "{", '{"0.png": 7}', '{"0.png": []}', '{"0.png": [1, 2, "x"]}'])
def test_a_cache_of_garbage_is_no_cache(tmp_path, reads, garbage):
    folder = tmp_path / "folder"
    write(folder / "0.png", noise(9, 9))
    first = find_images(str(folder))
    [cached] = (tmp_path / "cache").rglob("*.json")
    cached.write_text(garbage)
    assert find_images(str(folder)) == first
    assert reads == ["0.png", "0.png"]


def test_an_altered_cache_is_no_cache(tmp_path, reads):
    folder = tmp_path / "folder"
    write(folder / "0.png", noise(9, 9))
    first = find_images(str(folder))
    [cached] = (tmp_path / "cache").rglob("*.json")
    whole = cached.read_bytes()
    place = whole.index(first[0].digest.encode())
    other = b"0" if whole[place : place + 1] != b"0" else b"1"
    for data in (whole[:place] + other + whole[place + 1 :], whole[:-1], bytes(len(whole))):
        cached.write_bytes(data)
        assert find_images(str(folder)) == first
        assert cached.read_bytes() == whole
    assert reads == ["0.png"] * 4


def test_a_digest_that_proves_wrong_is_not_believed_twice(tmp_path, reads):
    """A disk that gives back other bytes, of a file that nobody has written to."""
    folder = tmp_path / "folder"
    write(folder / "0.png", noise(9, 9))
    [right] = find_images(str(folder))
    [cached] = (tmp_path / "cache").rglob("*.json")
    cached.write_bytes(sealed({"0.png": [*unsealed(cached.read_bytes())["0.png"][:-1], "0" * 64]}))
    [wrong] = find_images(str(folder))
    assert wrong.digest == "0" * 64
    with pytest.raises(OSError, match="changed while the build ran; build again"):
        open_image(wrong.path, 9, "middle", wrong.digest)
    assert find_images(str(folder)) == (right,)


def test_without_a_cache_folder_all_is_read_each_time(tmp_path, monkeypatch, reads):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    write(tmp_path / "folder" / "0.png", noise(9, 9))
    assert find_images(str(tmp_path / "folder")) == find_images(str(tmp_path / "folder"))
    assert reads == ["0.png", "0.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_found_without_a_digest(tmp_path, reads):
    write(tmp_path / "a.png", noise(9, 9))
    (tmp_path / "a.png").chmod(0)
    [source] = find_images(str(tmp_path))
    assert source.digest == ""
    with pytest.raises(PermissionError):
        open_image(source.path, 9, "middle")
    (tmp_path / "a.png").chmod(0o600)
    assert find_images(str(tmp_path))[0].digest
    assert len(reads) == 2


def test_what_cannot_be_read_is_asked_again_next_time(tmp_path, monkeypatch):
    write(tmp_path / "a.png", noise(9, 9))

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(content, "read_digest", refused)
        assert find_images(str(tmp_path))[0].digest == ""
    assert find_images(str(tmp_path))[0].digest == sha256((tmp_path / "a.png").read_bytes()).hexdigest()


def test_no_folder_and_no_images_are_sentences(tmp_path):
    with pytest.raises(AtlasError, match="nothing: expected a folder of images, or a pattern"):
        find_images(str(tmp_path / "nothing"))
    (tmp_path / "a.txt").write_text("")
    for place in (tmp_path, tmp_path / "*.png", tmp_path / "no" / "**" / "*.png"):
        with pytest.raises(
            AtlasError, match=r"expected images \(.jpg, .jpeg, .png, .webp, .gif, .tif, .tiff, .bmp\), found none"
        ):
            find_images(str(place))


def test_the_pictures_of_scikit_image(monkeypatch):
    found = find_images("scikit-image")
    assert len(found) > 20
    assert {"astronaut.png", "coffee.png", "rocket.jpg"} < {source.name for source in found}
    assert {source.label for source in found} == {""}
    for source in found:
        assert open_image(source.path, 32, "middle").std() > 0, source.name
    monkeypatch.setattr(atlas.resources, "find_spec", lambda name: None)
    with pytest.raises(AtlasError, match=r"scikit-image: expected this package.*atlas-microscope\[demo\]"):
        find_images("scikit-image")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(
        ["b.png", "a.png", "cats/tabby.png", "cats/old/tom.png", "dogs/rex.png", "odd[1].png"]
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["b.png", "a.png"], ["b.png", "a.png"]),
        (["cats/*.png"], ["cats/old/tom.png", "cats/tabby.png"]),
        (["dogs/*", "?.png"], ["dogs/rex.png", "a.png", "b.png"]),
        (["a.png", "*"], ["a.png", "b.png", "cats/old/tom.png", "cats/tabby.png", "dogs/rex.png", "odd[1].png"]),
        (["odd[1].png"], ["odd[1].png"]),
        ([], []),
    ],
)
def test_each_image_comes_once_in_the_order_of_the_patterns(folder, patterns, names):
    found = find_photos(str(folder), patterns, 24)
    assert [source.name for source in found] == names
    everything = {source.name: source for source in find_images(str(folder))}
    assert [everything[name] for name in names] == list(found)  # paths, labels and digests alike


def test_a_limit_of_images_does_not_hide_photos(folder):
    assert len(find_images(str(folder), limit=1)) == 1
    assert len(find_photos(str(folder), ["*"], 24)) == 6


@pytest.mark.parametrize(
    ("patterns", "most", "sentence"),
    [
        (
            ["cats/taby.png"],
            24,
            "received 'cats/taby.png', which none of its 6 images has; did you mean cats/tabby.png?",
        ),
        (["*.jpg"], 24, "received '*.jpg', which none of its 6 images has"),
        (["A.png"], 24, "received 'A.png'"),
        (["*"], 5, "expected at most 5 images, received patterns that name 6"),
    ],
)
def test_a_wrong_pattern_is_one_sentence(folder, patterns, most, sentence):
    with pytest.raises(AtlasError) as caught:
        find_photos(str(folder), patterns, most)
    assert str(caught.value).startswith("probes.photos: expected ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
