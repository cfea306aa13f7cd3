import numpy as np
import pytest

from atlas.errors import StoreError
from atlas.store.entry import Entry, decode, encode, needed, record_of

KEY = "ab" * 32


@pytest.fixture
def entry():
    return Entry(
        KEY, {"channel": 4, "state": "activated", "score": {"end": 1.5}}, b"picture bytes", {"trace": np.arange(5.0)}
    )


def test_an_entry_comes_back_as_it_was_put(entry):
    back = decode(encode(entry), KEY, "here")
    assert back == entry
    np.testing.assert_array_equal(back.artefacts["trace"], np.arange(5.0))


def test_the_same_entry_gives_the_same_bytes(entry):
    assert len({encode(entry) for _ in range(20)}) == 1


@pytest.mark.parametrize("position", [0.02, 0.3, 0.6, 0.97])
def test_a_flipped_byte_is_found(entry, position):
    data = bytearray(encode(entry))
    data[int(position * len(data))] ^= 1
    with pytest.raises(StoreError):
        decode(bytes(data), KEY, "here")


@pytest.mark.parametrize("length", [0, 7, 8, 200, -1])
def test_a_cut_entry_is_found(entry, length):
    with pytest.raises(StoreError, match="damaged"):
        decode(encode(entry)[:length], KEY, "here")


def test_another_entry_is_found(entry):
    with pytest.raises(StoreError, match="received entry"):
        decode(encode(entry), "cd" * 32, "here")


def test_the_record_is_read_without_the_picture_and_says_what_is_there(entry, tmp_path):
    path = tmp_path / "entry"
    path.write_bytes(encode(entry))
    record = _record(path, KEY)
    assert record["channel"] == 4
    assert record["has"] == ["picture", "trace"]
    path.write_bytes(encode(Entry(KEY, entry.record, entry.picture)))
    assert _record(path, KEY)["has"] == ["picture"]


def test_the_record_of_a_cut_absent_or_other_entry_is_none(entry, tmp_path):
    path = tmp_path / "entry"
    path.write_bytes(encode(entry)[:-1])
    assert _record(path, KEY) is None
    path.write_bytes(b"\xff" * 100)
    assert _record(path, KEY) is None
    path.write_bytes(encode(entry))
    assert _record(path, "cd" * 32) is None


def _record(path, key):
    """The record from the head of a file, as the store reads it."""
    data = path.read_bytes()
    return record_of(data[: needed(data)], len(data), key)
