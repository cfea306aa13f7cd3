"""What every peer's script has in common: its arguments, the pictures it writes, the one line of JSON it prints.

    python run_NAME.py WEIGHTS.npz --channels 0-7 --size 128 --steps 64 --out FOLDER

In the line ``start_up`` counts from the start of the process to a network with its weights; ``prepared`` and
``seconds`` are of each channel, the latter its ascent. The first channel stands apart for whoever reads them: libraries
warm up with it. All are in seconds. ``image_steps`` is the number of updates of all pictures together.
"""

import argparse
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

LAYER = "mixed4"

Ascent = Callable[[], np.ndarray]
"""What gives the finished picture ``(h, w, 3) uint8`` of a channel."""


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments of a peer's script."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("weights", help="weights of InceptionV3 to mixed4 in an .npz, as run_atlas.py exports them")
    made.add_argument("--channels", type=channels, default="0-7", help="such as 0-7")
    made.add_argument("--size", type=int, default=128, help="side of a picture in pixels")
    made.add_argument("--steps", type=int, default=64, help="number of updates of a picture")
    made.add_argument("--out", type=Path, required=True, help="folder for the pictures, CHANNEL.png each")
    return made


def channels(text: str) -> range:
    """The channels that ``0-7`` names."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def age() -> float:
    """Seconds since this process was started."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def run(given: argparse.Namespace, prepare: Callable[[int], Ascent], packages: Sequence[str]) -> None:
    """Make every channel's picture with a network that is there, write them, and print what it took.

    ``prepare`` gives a channel's ascent, not yet begun; ``packages`` are those whose versions are told.
    """
    from PIL import Image

    start_up = age()
    given.out.mkdir(parents=True, exist_ok=True)
    prepared, seconds = [], []
    for channel in given.channels:
        begun = time.perf_counter()
        ascent = prepare(channel)
        ready = time.perf_counter()
        picture = ascent()
        prepared.append(ready - begun)
        seconds.append(time.perf_counter() - ready)
        Image.fromarray(picture).save(given.out / f"{channel}.png")
    line = {
        "start_up": start_up,
        "prepared": prepared,
        "seconds": seconds,
        "image_steps": len(given.channels) * given.steps,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    print(json.dumps(line))


def eight_bit(picture: np.ndarray) -> np.ndarray:
    """A picture ``(h, w, 3) uint8`` of one with values in [0, 1]."""
    return np.asarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
