"""What ``arithmetic: auto`` means: chosen before the first picture, held by every later build."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import atlas
from atlas.cli.prepare import Prepared, prepare
from atlas.engine import arithmetic, workers
from atlas.engine.arithmetic import check_native
from atlas.engine.record import keep_record
from atlas.errors import AtlasError
from atlas.processor import VARIABLE, has_bfloat16, usual
from atlas.spec.config import Compute
from atlas.spec.recipe import Recipe
from tests.cli.conftest import Said

Shell = Callable[..., Said]
CONFIG = """\
network: {toy}
weights: random:1
preprocessing: tf
layers: [{{name: both, channels: "0-2"}}]
recipes:
  main: {{size: 32, steps: 2{main}}}
  plain: {{base: tutorial, size: 32, steps: 2}}
compute: {{backend: sequential}}
"""


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with bfloat16 and without a GPU, whose user says nothing of it."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: True)
    monkeypatch.setattr(workers, "gpus", lambda: ())


@pytest.fixture
def config(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "toy.yaml"
    path.write_text(CONFIG.format(toy=toy, main=""))
    return path


def taken(prepared: Prepared) -> dict[str, str]:
    return {group.recipe_name: group.recipe.arithmetic for group in prepared.plan.groups}


def test_it_is_bfloat16_where_the_machine_has_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(prepare(str(config), {}, None)) == {"main": "bfloat16", "plain": "plain"}
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: False)
    assert taken(prepare(str(config), {}, None)) == {"main": "fast", "plain": "plain"}


def test_a_name_is_never_replaced(config: Path, toy: Path) -> None:
    config.write_text(CONFIG.format(toy=toy, main=", arithmetic: fast"))
    assert taken(prepare(str(config), {}, None))["main"] == "fast"


@pytest.mark.parametrize(
    ("given", "alone"), [({"compute.backend": "dask"}, True), ({"store": "memory://somewhere"}, True), ({}, False)]
)
def test_machines_that_share_the_work_take_32_bits(config: Path, given: dict[str, str], alone: bool) -> None:
    assert taken(prepare(str(config), given, None, alone))["main"] == "fast"


def test_the_variable_has_the_last_word(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "fast")
    assert taken(prepare(str(config), {}, None))["main"] == "fast"
    monkeypatch.setenv(VARIABLE, "bfloat16")
    assert usual(False) == "bfloat16"
    monkeypatch.setenv(VARIABLE, "float16")
    with pytest.raises(AtlasError, match="ATLAS_ARITHMETIC: expected fast or bfloat16, received 'float16'"):
        usual(True)


def test_an_atlas_that_has_pictures_stays_in_32_bits(
    config: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: False)
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: True)
    assert taken(prepare(str(config), {}, None))["main"] == "fast"
    [record] = Path(".atlas").rglob("v1/atlases/*.json")
    record.unlink()  # as of a build that was killed before it wrote one
    assert taken(prepare(str(config), {}, None))["main"] == "fast"
    assert "bfloat16" not in shell("plan", "toy.yaml").out


def test_what_the_key_is_made_of_names_32_bits_as_before() -> None:
    assert Recipe().arithmetic == "auto"
    assert Recipe().pixels == Recipe(arithmetic="fast").pixels
    assert Recipe(arithmetic="bfloat16").pixels["arithmetic"] == "bfloat16"


def test_who_cannot_hold_to_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: False)
    said = "recipe main: bfloat16: expected a processor with avx512_bf16 or amx_bf16, .* found neither; build on"
    with pytest.raises(AtlasError, match=said):
        check_native(Compute(device="cpu"), ["main"])
    check_native(Compute(device="cpu"), [])
    check_native(Compute(device="cpu", backend="dask", scheduler="tcp://x:1"), ["main"])


def test_on_gpus_it_is_32_bits(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "gpus", lambda: ("0",))
    assert taken(prepare(str(config), {}, None))["main"] == "fast"
    assert taken(prepare(str(config), {"compute.device": "cpu"}, None))["main"] == "bfloat16"


@pytest.mark.parametrize(("kept", "means"), [("bfloat16", "bfloat16"), (None, "fast")])
def test_a_recipe_of_another_name_is_computed_as_the_atlas_is(
    config: Path, toy: Path, monkeypatch: pytest.MonkeyPatch, kept: str | None, means: str
) -> None:
    prepared = prepare(str(config), {}, None)
    record = {key: value for key, value in prepared.record().items() if key != "arithmetic"}
    keep_record(prepared.store, record | ({"arithmetic": kept} if kept else {}), prepared.request.output)
    config.write_text(CONFIG.replace("main:", "other:").format(toy=toy, main=""))
    assert taken(prepare(str(config), {}, None))["other"] == means


def test_pictures_of_either_arithmetic_are_needed(config: Path) -> None:
    prepared = prepare(str(config), {}, None)
    keys = {job.key for _, job in prepared.plan.jobs()}
    assert keys < prepared.keys
    assert len(prepared.keys) == 3 * 2 + 3  # of main in both, of plain in one


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_a_build_in_16_bits_holds_to_them(config: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    said = shell("plan", "toy.yaml")
    assert said.lines[-1] == "computed in bfloat16 (16 bits): main"
    first = shell("build", "toy.yaml", "--limit", 1)
    assert (first.code, "pictures are computed in bfloat16" in first.err) == (0, True)
    assert "arithmetic: bfloat16" in Path("site/toy-random/both/0.html").read_text()
    monkeypatch.setenv(VARIABLE, "fast")  # of another user, for new atlases
    again = shell("build", "toy.yaml", "--limit", 2)
    assert (again.code, again.err) == (0, "")
    assert taken(prepare(str(config), {}, None))["main"] == "bfloat16"
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: False)
    assert shell("build", "toy.yaml", "--limit", 2).code == 0  # there is nothing to make
    refused = shell("build", "toy.yaml")
    assert refused.code == 2
    assert refused.err.startswith("atlas: recipe main: bfloat16: expected a processor with avx512_bf16 or amx_bf16")


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_the_choice_is_kept_before_the_first_picture(
    config: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("atlas.engine.run.run", killed)
    assert shell("build", "toy.yaml").code == 130
    monkeypatch.setattr(arithmetic, "has_bfloat16", lambda: False)
    prepared = prepare(str(config), {}, None)
    assert (taken(prepared)["main"], prepared.outcome.done) == ("bfloat16", {})


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_show_and_maximize_make_a_build_s_bytes_and_name_the_arithmetic(
    config: Path, toy: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("build", "toy.yaml").code == 0
    given = ("--weights", "random:1", "--preprocessing", "tf", "--size", 32, "--steps", 2)
    assert shell("show", toy, "both", 1, *given, "-o", "a.png").code == 0
    prepared = prepare(str(config), {}, None)
    [key] = [job.key for group, job in prepared.plan.jobs() if group.recipe_name == "main" and job.channel == 1]
    with Image.open(io.BytesIO(prepared.store.get(key).picture)) as picture:
        built = np.asarray(picture.convert("RGB"))
    with Image.open("a.png") as picture:
        assert picture.info["Comment"] == "computed in bfloat16"
        assert np.asarray(picture.convert("RGB")).tobytes() == built.tobytes()
    made = atlas.maximize(toy, "both", 1, weights="random:1", preprocessing="tf", size=32, steps=2)
    assert (made.arithmetic, made.picture.tobytes()) == ("bfloat16", built.tobytes())
    monkeypatch.setenv(VARIABLE, "fast")
    assert atlas.maximize(toy, "both", 1, weights="random:1", preprocessing="tf", size=32, steps=2).arithmetic == "fast"
