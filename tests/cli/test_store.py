"""``atlas store``: list, verify, repair, prune."""

import json
import os
import time

import pytest

from atlas.store.store import Store


@pytest.fixture
def built(shell, config, tmp_path):
    """The entries of a build of five pictures, in no order, and behind them those of two layers' comparisons; before
    all of them that of the weights to the second layer."""
    assert shell("build", "toy.yaml", "--quiet").code == 0
    store = Store(tmp_path / ".atlas")
    found = sorted(tmp_path.glob(".atlas/v1/entries/*/*"))
    kinds = {path: store.record(path.stem) or {} for path in found}
    return sorted(found, key=lambda path: ("likeness" in kinds[path]) - ("wiring" in kinds[path]))


def test_what_is_kept(shell, built):
    rows = [json.loads(line) for line in shell("store", "ls", "--json").lines]
    assert [(row["atlas"], row["entries"]) for row in rows] == [("toy", 8), ("in no atlas", 0), ("in all", 8)]
    assert rows[0]["bytes"] == sum(path.stat().st_size for path in built)
    assert shell("store", "ls").lines[0].split()[0] == "8"
    assert shell("store", "ls", "elsewhere").lines[-1].split() == ["0", "0", "B", "in", "all"]


def test_a_damaged_entry_is_named_repaired_and_made_again(shell, built, tmp_path):
    assert shell("store", "verify").out == "8 entries read, all of them whole\n"
    good = built[2].read_bytes()
    built[2].write_bytes(good[:-9] + b"x" * 9)
    said = shell("store", "verify")
    assert said.code == 1
    assert str(built[2]) in said.lines[0]
    assert "checksum does not match" in said.lines[0]
    assert said.lines[-1] == "8 entries read, 1 damaged"
    repaired = shell("store", "verify", "--repair", "--json")
    assert (repaired.code, json.loads(repaired.lines[-1])["damaged"]) == (1, 1)
    assert not built[2].exists()
    assert "1 pictures rendered, 4 were cached" in shell("build", "toy.yaml").out
    assert built[2].read_bytes() == good
    assert shell("store", "verify").code == 0


def test_what_a_power_cut_left_empty_is_named_and_made_again(shell, built, tmp_path):
    """As before entries and records were flushed, or as another program copied them."""
    record = tmp_path / ".atlas" / "v1" / "atlases" / "toy.json"
    good = {path: path.read_bytes() for path in [*built, record]}
    for path in good:
        path.write_bytes(b"")
    (log,) = (tmp_path / ".atlas" / "v1" / "runs").iterdir()
    log.write_bytes(b"")
    said = shell("store", "verify")
    assert said.code == 1
    assert [path for path in good if str(path) not in said.out] == []
    assert said.lines[-1] == "8 entries read, 8 damaged, and 1 damaged record of an atlas"
    listed = shell("store", "ls")
    assert (listed.code, listed.err) == (
        0,
        f"atlas: {record}: expected an atlas record, received a damaged file; build that atlas again\n",
    )
    assert shell("status").out.startswith("no build has run")
    again = shell("build", "toy.yaml")
    assert again.code == 0
    assert "5 pictures rendered, 0 were cached" in again.lines
    assert again.lines[-1] == "site: site/toy/index.html (unchanged)"
    assert {path: path.read_bytes() for path in good} == good
    assert shell("store", "verify").code == 0


def test_a_record_that_is_damaged_alone_locks_nothing(shell, built, tmp_path):
    record = tmp_path / ".atlas" / "v1" / "atlases" / "toy.json"
    good = record.read_bytes()
    record.write_bytes(good.replace(b"first", b"worst", 1))
    said = shell("store", "verify", "--repair", "--json")
    assert (said.code, json.loads(said.lines[0])["atlas"]) == (1, "toy")
    assert not record.exists()
    record.write_bytes(b"")
    assert shell("site", "toy.yaml").code == 0
    assert record.read_bytes() == good


def test_a_comparison_that_is_gone_is_made_again(shell, built):
    good = built[-1].read_bytes()
    built[-1].unlink()
    said = shell("build", "toy.yaml")
    assert (said.code, said.lines[-1]) == (0, "site: site/toy/index.html (unchanged)")
    assert built[-1].read_bytes() == good


def test_a_damaged_entry_is_never_shown(shell, built, tmp_path):
    """Its header is whole, so it counts as there; its checksum is looked at when its picture is read."""
    built[2].write_bytes(built[2].read_bytes()[:-9] + b"x" * 9)
    said = shell("build", "toy.yaml", "--output", "other")
    assert said.code == 2
    assert "the checksum does not match, the file is damaged" in said.err
    built[2].write_bytes(built[2].read_bytes()[:-9])
    assert "1 pictures rendered, 4 were cached" in shell("build", "toy.yaml", "--output", "other").out


def test_prune_keeps_what_is_needed_young_or_in_use(shell, built, config, tmp_path):
    config.write_text(config.read_text().replace("0-2", "0-1"))
    assert shell("store", "prune", "toy.yaml", "--yes").out == "nothing to delete\n"  # younger than a day
    old = time.time() - 2 * 86_400
    for path in built:
        os.utime(path, (old, old))
    [total] = shell("store", "prune", "toy.yaml", "--dry-run").lines
    assert total.startswith("2 entries, ")  # a picture, and the comparison of its layer
    assert total.endswith(" would be deleted")
    assert all(path.exists() for path in built)
    log = next((tmp_path / ".atlas/v1/runs").iterdir())
    whole = log.read_bytes()
    log.write_bytes(b"\n".join(whole.splitlines()[:-1]) + b"\n")  # as if the build still ran
    said = shell("store", "prune", "toy.yaml", "--yes")
    assert (said.code, said.out) == (2, "")
    assert "expected a store that nobody uses, received one that toy on" in said.err
    log.write_bytes(whole)
    assert shell("store", "prune", "toy.yaml", "--yes").out.endswith(" deleted\n")
    assert sum(path.exists() for path in built) == 6
    assert "nothing to render: all 4" in shell("build", "toy.yaml").out


def test_prune_asks_first(shell, built, config, monkeypatch):
    import typer

    config.write_text(config.read_text().replace("0-2", "0-1"))
    old = time.time() - 2 * 86_400
    for path in built:
        os.utime(path, (old, old))
    asked = []
    monkeypatch.setattr(typer, "confirm", lambda question: asked.append(question))
    assert shell("store", "prune", "toy.yaml").out == "nothing was deleted\n"
    [question] = asked
    assert question.startswith("Delete 2 entries, ")
    assert all(path.exists() for path in built)
