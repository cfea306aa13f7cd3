"""How much memory may still be taken: by the machine and by every cgroup around the process."""

import pytest

from atlas import memory

GB = 1_000_000_000


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Writes files as Linux has them: what is told, by its path."""
    for name in ("MEMINFO", "OWN"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")

    def write(**told):
        for name, text in told.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    write(MEMINFO="MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n", OWN="0::/\n")
    return write


def test_without_limits_it_is_what_the_machine_has(machine):
    assert memory.available() == 8_000_000 * 1024


def test_nobody_tells(machine):
    machine(MEMINFO="", OWN="")
    assert memory.available() is None


@pytest.mark.parametrize("inner", ["max", str(9 * GB)])
def test_the_narrowest_group_counts_less_what_it_has_taken(machine, inner):
    machine(
        OWN="0::/work/job\n",
        groups__work__memory_dot_max=f"{4 * GB}\n",
        groups__work__memory_dot_current=f"{3 * GB}\n",
        groups__work__memory_dot_stat=f"anon 5\ninactive_file {GB}\nactive_file 7\n",
        groups__work__job__memory_dot_max=f"{inner}\n",
        groups__work__job__memory_dot_current=f"{GB}\n",
    )
    assert memory.available() == 2 * GB


def test_groups_of_the_first_version(machine):
    machine(
        OWN="5:cpu,cpuacct:/elsewhere\n4:memory:/job\n0::/\n",
        groups__memory__memory_dot_limit_in_bytes=str((1 << 63) - 4096),
        groups__memory__memory_dot_usage_in_bytes=str(GB),
        groups__memory__job__memory_dot_limit_in_bytes=str(2 * GB),
        groups__memory__job__memory_dot_usage_in_bytes=str(3 * GB // 2),
    )
    assert memory.available() == GB // 2


def test_a_container_sees_its_own_group_as_the_root(machine):
    machine(OWN="0::/docker/0123\n", groups__memory_dot_max=str(3 * GB), groups__memory_dot_current="0")
    assert memory.available() == 3 * GB


def test_this_machine_tells():
    found = memory.available()
    assert found is None or found > 100_000_000
