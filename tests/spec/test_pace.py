"""What kinds of work take, and what is kept of a machine that was measured."""

import pytest

from atlas import processor
from atlas.spec import machine
from atlas.spec.facts import Work
from atlas.spec.pace import FITTED_SPEED, GUESSED_SPEED, RELATIVE, TIMED, at_speed, calibrated

TWICE = {kind: 2 * seconds for kind, seconds in TIMED.items()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_each_kind_of_work_takes_its_own_time():
    kinds = RELATIVE.kinds
    work = Work(wide=10, curved=2, nodes=3)
    assert RELATIVE.network(work, 100, together=8) == 10_000 * (10 + 2 * kinds.curved) + 3 * kinds.nodes / 8
    for kind in ("point", "apart", "normed", "moved"):
        assert RELATIVE.network(Work(**{kind: 1}), 10, 2) == 100 * getattr(kinds, kind) > 100


def test_a_machine_that_takes_twice_as_long_for_one_kind_takes_as_long_for_the_others():
    there, here = calibrated(TIMED), calibrated(TIMED | {"curved": 2 * TIMED["curved"]})
    assert there == at_speed(FITTED_SPEED)
    assert there.kinds.wide == pytest.approx(4 / FITTED_SPEED)
    assert here.kinds.curved == pytest.approx(2 * there.kinds.curved)
    assert (here.kinds.wide, here.picture) == (there.kinds.wide, there.picture)


def test_every_kind_that_counts_was_timed():
    assert set(TIMED) == {kind for kind, value in vars(RELATIVE.kinds).items() if value} | {"picture"}


def test_what_was_measured_is_kept_for_this_machine_and_no_other(monkeypatch):
    assert machine.measured() == {}
    assert machine.pace("fast") == at_speed(GUESSED_SPEED)
    machine.keep({"fast": TWICE})
    assert machine.measured() == {"fast": calibrated(TWICE)}
    assert machine.pace("fast") == machine.pace("bfloat16") == calibrated(TWICE)
    monkeypatch.setattr(processor, "cores", lambda: 64)
    assert machine.measured() == {}


@pytest.mark.parametrize("timed", [{}, *(TWICE | {"wide": wide} for wide in (0.0, -1.0, "2", None))])
def test_times_that_are_none_are_not_taken(timed):
    machine.keep({"fast": timed})
    assert machine.measured() == {}


def test_a_file_that_is_cut_is_as_none(tmp_path):
    machine.keep({"fast": TWICE})
    [path] = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes()[:-9])
    assert machine.measured() == {}


def test_processors_of_arm_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    said = []
    for part in ("0xd0c", "0xd40"):
        processor.CPUINFO.write_text(
            f"processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
        )
        said.append(processor.kind())
    assert said[0] != said[1]


def test_the_machine_is_told_where_there_is_no_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert processor.kind().endswith("cores")
