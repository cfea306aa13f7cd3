"""What is read off the processor, and what is said of one that has no bfloat16."""

from pathlib import Path

import pytest

from atlas import processor
from atlas.errors import AtlasError


@pytest.fixture(autouse=True)
def unknown():
    """Each test asks anew."""
    processor.has_bfloat16.cache_clear()
    yield
    processor.has_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("fpu avx2 avx512f avx512_bf16 sse", True),
        ("amx_bf16 amx_tile", True),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("avx512_bf16x", False),
    ],
)
def test_flags_tell(flags: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: avx512_bf16\n"
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    assert processor.has_bfloat16() is has


def test_a_system_that_does_not_tell_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "nothing")
    assert not processor.has_bfloat16()


def test_where_there_is_none_it_is_one_sentence(toy_ref, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from atlas.ascent.kernel import Kernel
    from atlas.networks.load import load
    from atlas.spec.recipe import Recipe

    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "nothing")
    with pytest.raises(AtlasError, match="found neither; compute on such a machine, or take arithmetic: fast"):
        Kernel(load(toy_ref), "both", Recipe(size=32, steps=2, arithmetic="bfloat16"))
