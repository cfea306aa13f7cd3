"""``atlas init``: a configuration to start from."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from atlas.spec.load import load_request
from tests.spec.conftest import CATALOG


def request(path):
    return load_request(path, {}, CATALOG)


def layers(path):
    return {layer.facts.name: len(layer.channels) for layer in request(path).layers}


def test_without_a_word_it_is_what_needs_no_download(shell, tmp_path):
    said = shell("init")
    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        "atlas.yaml written: 64 channels in 4 layers of InceptionV3",
        "next: atlas plan atlas.yaml says how long it takes, atlas build atlas.yaml makes it",
    ]
    made = request(tmp_path / "atlas.yaml")
    assert (made.facts.id, made.ref.weights, str(made.output)) == ("inceptionv3", "embedded", "site/atlas")
    assert layers(tmp_path / "atlas.yaml") == {"stem3": 16, "stem5": 16, "mixed2": 16, "mixed4": 16}
    assert "64 pictures, 0 cached, 64 to render" in shell("plan", "atlas.yaml").out


def test_options_say_what_is_written(shell, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "sub").mkdir()
    arguments = ("--network", "vgg19", "--weights", "random:3", "--title", "Mine: 'first' \u00e9", "--images", "photos")
    said = shell("init", "sub/my own.yaml", *arguments, "--layers", "block1_conv1, block5_conv?", "--channels", 100)
    assert (said.code, said.err) == (0, "")
    assert "atlas build 'sub/my own.yaml'" in said.lines[-1]
    path = tmp_path / "sub/my own.yaml"
    made = request(path)
    assert (made.title, made.ref.weights, made.ref.seed) == ("Mine: 'first' \u00e9", "random", 3)
    assert (made.probes.images, str(made.output)) == (str(tmp_path / "photos"), "site/my own-random")
    assert layers(path) == {"block1_conv1": 64, **{f"block5_conv{number}": 100 for number in (1, 2, 3, 4)}}
    assert "images: ../photos" in path.read_text()


@pytest.mark.parametrize(
    ("options", "text", "count"),
    [
        (("--channels", "all"), '\n  - "block5_conv?"\n', 4 * 512),
        (("--channels", "16"), '\n  - {name: "block5_conv?", channels: "0-15"}\n', 4 * 16),
        (("--channels", "3,5-7"), '\n  - {name: "block5_conv?", channels: "3,5-7"}\n', 4 * 4),
    ],
)
def test_channels_are_so_many_or_these_or_all(shell, tmp_path, options, text, count):
    assert shell("init", "a.yaml", "--network", "vgg19", "--layers", "block5_conv?", *options).code == 0
    assert text in (tmp_path / "a.yaml").read_text()
    assert sum(layers(tmp_path / "a.yaml").values()) == count


def test_all_layers_are_those_of_features(shell, tmp_path):
    assert shell("init", "a.yaml", "--network", "vgg19", "--layers", "all", "--channels", "all").code == 0
    assert sum(layers(tmp_path / "a.yaml").values()) == 5504


def test_vgg16_needs_no_download_either(shell, tmp_path):
    assert shell("init", "a.yaml", "--network", "vgg16").code == 0
    assert request(tmp_path / "a.yaml").ref.weights == "embedded"
    assert set(layers(tmp_path / "a.yaml")) == {"block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"}
    text = (tmp_path / "a.yaml").read_text()
    assert "# ImageNet's in 8 bits, inside atlas; imagenet has every layer\n" in text
    assert "mixed4" not in text


def test_layers_beyond_the_embedded_weights_take_imagenet_s(shell, tmp_path):
    assert shell("init", "a.yaml", "--layers", "mixed4, mixed9").code == 0
    assert request(tmp_path / "a.yaml").ref.weights == "imagenet"


def test_a_network_of_one_s_own_is_found_from_the_file(shell, toy, tmp_path, monkeypatch):
    monkeypatch.chdir(toy.parent)
    made = tmp_path / "a.yaml"
    assert shell("init", made, "--network", toy.name, "--preprocessing", "tf", "--layers", "both").code == 0
    assert f"network: {os.path.relpath(toy, tmp_path)} " in made.read_text().replace('"', "")
    assert "weights:" not in made.read_text()
    assert request(made).ref.network == str(toy)


def test_editors_are_told_of_a_schema_that_lies_there(shell, tmp_path):
    first = "# yaml-language-server: $schema=atlas.schema.json\n"
    shell("init", "a.yaml")
    assert "yaml-language-server" not in (tmp_path / "a.yaml").read_text()
    (tmp_path / "atlas.schema.json").write_text(shell("schema").out)
    shell("init", "b.yaml")
    assert (tmp_path / "b.yaml").read_text().startswith(first)


def test_no_file_is_written_over_unless_it_is_said(shell, tmp_path):
    (tmp_path / "a.yaml").write_text("mine")
    said = shell("init", "a.yaml")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "atlas: a.yaml: expected a name that is free, received one where something is; name another, or write over it "
        "with --force\n"
    )
    assert (tmp_path / "a.yaml").read_text() == "mine"
    assert shell("init", "a.yaml", "--force").code == 0
    assert layers(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--network", "vgg91"), "--network: expected a network of keras.applications or a .keras file, received "),
        (
            ("--layers", "mixed3,mixd4"),
            "--layers: expected a layer of inceptionv3, received 'mixd4'; did you mean mixed",
        ),
        (
            ("--channels", "0"),
            "--channels: expected a number such as 16, channels such as 0-15,100, or all, received '0'",
        ),
        (("--channels", "few"), "--channels: expected a number such as 16, "),
        (("--channels", "0-800"), "--channels: expected channels 0 to 63 of stem3, received 800"),
        (("--weights", "embedded", "--layers", "mixed9"), "--layers: expected a layer from stem1 to mixed4 with "),
        (
            ("--network", "vgg19", "--weights", "embedded"),
            "--weights: expected weights imagenet, random or a file for ",
        ),
        (("--network", "no.keras"), "--network: expected a .keras file at "),
        (("--network", "no.keras", "--preprocessing", "tf"), "--network: expected a .keras file at "),
        (("--images", "nowhere"), "--images: expected a folder of images, "),
        (("--title", ""), "--title: expected "),
        (("a.txt",), "FILE: expected a name that ends in .yaml, received 'a.txt'"),
        (("no/a.yaml",), "no/a.yaml: expected a folder that is there, received no; make it first"),
        (("folder.yaml", "--force"), "folder.yaml: expected a name that is free, received one where something is; "),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_file(shell, tmp_path, arguments, sentence):
    (tmp_path / "folder.yaml").mkdir()
    said = shell("init", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"atlas: {sentence}")
    assert len(said.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_known_networks_need_no_tensorflow(tmp_path):
    code = """
import sys
from atlas.cli import main
sys.argv = ["atlas", "init", "--network", "vgg19"]
try:
    main()
finally:
    print({"tensorflow", "keras"} & set(sys.modules))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert run.stdout.splitlines()[-1] == "set()"


@pytest.fixture
def asked(tmp_path):
    """``atlas init`` on a terminal with what is typed; its exit code, what it showed and what it said of errors."""
    reader, writer = pty.openpty()

    def run(typed: bytes, interrupt: bool = False) -> tuple[int, str, str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "atlas", "init"],
            cwd=tmp_path,
            stdin=writer,
            stdout=writer,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        os.write(reader, typed)
        shown, ends = b"", time.monotonic() + 60
        while process.poll() is None and time.monotonic() < ends:
            while select.select([reader], [], [], 0.05)[0]:
                shown += os.read(reader, 65536)
            if interrupt and b"]:" in shown:
                process.send_signal(signal.SIGINT)
                interrupt = False
        while select.select([reader], [], [], 0.05)[0]:
            shown += os.read(reader, 65536)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        process.stderr.close()
        return process.wait(), shown.decode(), errors

    yield run
    os.close(writer)
    os.close(reader)


def test_three_questions_on_a_terminal(asked, tmp_path):
    code, shown, errors = asked(b"vgg91\nvgg19\nblok5\nblock5_conv4\nfew\n20\n")
    assert code == 0
    for question in ("Network [inceptionv3]:", "[block2_conv2, block3_conv4, block4_conv4, block5_conv4]:", "[16]:"):
        assert question in shown
    said = [line for line in errors.splitlines() if line.strip()]
    assert len(said) == 3
    assert "did you mean vgg19?" in said[0]
    assert "--layers: expected a layer of vgg19, received 'blok5'" in said[1]
    assert "--channels: expected a number such as 16" in said[2]
    assert layers(tmp_path / "atlas.yaml") == {"block5_conv4": 20}


def test_what_is_offered_can_be_taken(asked, tmp_path):
    assert asked(b"\n\n\n")[0] == 0
    assert sum(layers(tmp_path / "atlas.yaml").values()) == 64


@pytest.mark.parametrize(("typed", "interrupt"), [(b"vgg19\n\x04", False), (b"", True)])
def test_ctrl_c_and_the_end_of_input_leave_no_file(asked, tmp_path, typed, interrupt):
    code, _, errors = asked(typed, interrupt)
    assert (code, errors.strip()) == (130, "atlas: interrupted")
    assert list(tmp_path.iterdir()) == []
