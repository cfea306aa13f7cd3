"""Names of classes out of a file, and every way in which a file is not one."""

import json
from pathlib import Path

import pytest

from atlas.errors import AtlasError
from atlas.spec.class_names import LARGEST, read_class_names
from tests.spec.test_load import BASE, problems


def written(tmp_path: Path, text: str | bytes, name: str = "names.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text", ["tench\ngreat white shark\n", "tench\r\n great white shark \r\n\r\n", "\ufefftench\ngreat white shark"]
)
def test_a_name_on_each_line(tmp_path, text):
    assert read_class_names(written(tmp_path, text), 2) == ("tench", "great white shark")


def test_the_form_of_keras(tmp_path):
    names = {"1": ["n01484850", "great_white_shark"], "0": ["n01440764", "tench"]}
    path = written(tmp_path, json.dumps(names), "names.json")
    assert read_class_names(path, 2) == ("tench", "great white shark")


def test_two_classes_may_have_one_name(tmp_path):
    assert read_class_names(written(tmp_path, "crane\ncrane"), 2) == ("crane", "crane")


FORM = r"expected .*\{\"0\": \[\"n01440764\", \"tench\"\], ...\} with a number for each class from 0 on, received"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "a\nb\n", "expected 3 names, received 2$"),
        ("a.txt", "", "expected 3 names, received 0$"),
        ("a.txt", "a\nb\nc\nd", "expected 3 names, received 4$"),
        ("a.txt", "a\n\nc", "1 to 200 characters that print for class 1, received ''$"),
        ("a.txt", "a\nb\x1b[2J\nc", r"for class 1, received 'b\\x1b\[2J'$"),
        ("a.txt", "a\nb\n" + "c" * 201, "for class 2, received 'c{39}$"),
        ("a.txt", b"a\nb\xff\nc", "expected text in UTF-8, received byte 0xff$"),
        ("a.txt", b"x" * (LARGEST + 1), "expected at most 10,000,000 bytes of names, received 10,000,001$"),
        ("a.json", '{"0": ["n", "a"]}', "expected 3 names, received 1$"),
        ("a.json", "{", FORM + " text that is none$"),
        ("a.json", "[" * 100_000, FORM + " text that is none$"),
        ("a.json", '["a", "b", "c"]', FORM + " something else$"),
        ("a.json", '{"0": ["n", "a"], "1": ["n", "b"], "3": ["n", "c"]}', FORM + " something else$"),
        ("a.json", '{"0": ["n", "a"], "1": "b", "2": ["n", "c"]}', FORM + " something else for 1$"),
        ("a.json", '{"0": ["n", "a"], "1": ["n", 2], "2": ["n", "c"]}', FORM + " something else for 1$"),
    ],
)
def test_what_is_no_list_of_names_is_one_sentence(tmp_path, name, text, said):
    path = written(tmp_path, text, name)
    with pytest.raises(AtlasError, match=said) as caught:
        read_class_names(path, 3)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(AtlasError, match="expected a file of names, received: No such file or directory; check"):
        read_class_names(tmp_path / "none.txt", 3)
    with pytest.raises(AtlasError, match="expected a file of names, received: Is a directory; check"):
        read_class_names(tmp_path, 3)


CLASSIFIER = "network: vgg19\nweights: random\nclasses: true\nlayers: [block1_conv1]\n"  # as sea-cucumber.yaml has


def test_a_configuration_names_its_file(tmp_path, read):
    written(tmp_path, "\n".join(f"kind {number}" for number in range(1000)))
    found = read(CLASSIFIER + "class_names: names.txt\n").class_names
    assert (len(found), found[17]) == (1000, "kind 17")
    assert read(CLASSIFIER).class_names is None


def test_names_that_do_not_fit_are_noted_with_everything_else(tmp_path, read):
    path = written(tmp_path, "a\nb\n")
    found = problems(read, CLASSIFIER + "class_names: names.txt\nlayers: [nothing]\n")
    assert f"5:1: class_names: {path}: expected 1000 names, received 2" in found
    assert len(found) > 1
    [found] = problems(read, CLASSIFIER + "class_names: no.txt\n")
    assert found.startswith("5:1: class_names: ")
    assert "received: No such file or directory" in found
    [found] = problems(read, BASE + "class_names: names.txt\n")
    assert found == (
        "3:1: class_names: expected a network with its classifier, received inceptionv3 without; write classes: true, "
        "or leave this key out"
    )
