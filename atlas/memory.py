"""How much memory this process and those that it starts may still take, as Linux tells it."""

import re
from collections.abc import Iterator
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
OWN = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}  # by version
UNLIMITED = 1 << 60  # bytes; kernels of before say a number near 1 << 63 where there is no limit


def available() -> int | None:
    """Bytes that are free on the machine and left by every cgroup around this process; None where nobody tells."""
    return min((left for left in (_of_machine(), *_of_groups()) if left is not None), default=None)


def _of_machine() -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(MEMINFO), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _of_groups() -> Iterator[int]:
    """What is left by each cgroup around this process that has a limit."""
    for line in _text(OWN).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        version = 1 if controllers else 2
        if version == 1 and "memory" not in controllers.split(","):
            continue
        root = GROUPS / "memory" if version == 1 else GROUPS
        parts = Path(path.lstrip("/")).parts
        for depth in range(len(parts) + 1):
            folder = root.joinpath(*parts[:depth])
            limit, used = (_text(folder / name).strip() for name in FILES[version])
            if limit.isdecimal() and used.isdecimal() and int(limit) < UNLIMITED:
                yield max(0, int(limit) - int(used) + _reclaimable(folder))


def _reclaimable(folder: Path) -> int:
    """Bytes of a cgroup that are kept of files, and go where there is need."""
    told = dict(re.findall(r"^(\w+) (\d+)$", _text(folder / "memory.stat"), re.MULTILINE))
    return int(told.get("total_inactive_file") or told.get("inactive_file") or 0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
