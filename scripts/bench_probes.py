"""Measure what real images cost: looking at all layers beside one pass of the network, and memory beside their number.

    python scripts/bench_probes.py OUT [--only passes,memory] [--repeats 5] [--few 500] [--many 5000]

Prints one table as Markdown. *passes*: all layers of InceptionV3 from stem2 to mixed4, and all convolutions of VGG19
with random weights, each looked at for what is kept of images, over the plain forward pass to the deepest of these
layers, in seconds of a processor that has one thread to work on; the images are in memory, and the two take turns from
batch to batch. A figure is a ratio of the medians of repeats, each a part of a build's images, with the least and the
greatest ratio of one repeat. *memory*: the greatest resident memory of a fresh process that looks at images of
OUT/images and finds out what they tell of mixed3 and mixed4, from files to sheets, for many images over few. The images
are made once, from the pictures of scikit-image. All of it takes about 10 minutes.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from promises import Row, table

from atlas.engine.batches import Setting
from atlas.engine.encode import lossless
from atlas.engine.finding import findings
from atlas.engine.mains import mains
from atlas.engine.probing import IMAGES, Probing, looks
from atlas.engine.study import study
from atlas.engine.worker import Done
from atlas.images.folders import find_images
from atlas.images.loader import open_image
from atlas.networks.catalog import facts
from atlas.networks.weights import locate
from atlas.probes.look import TOGETHER, Probe
from atlas.resources import DEMO
from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Group, Job, Plan
from atlas.spec.probing import Probes
from atlas.spec.recipes import RECIPES
from atlas.store.entry import Entry
from atlas.store.store import Store

INCEPTION = NetworkRef("inceptionv3", "embedded")
INCEPTION_LAYERS = ("stem2", "stem3", "stem4", "stem5", "mixed0", "mixed1", "mixed2", "mixed3", "mixed4")
VGG = NetworkRef("vgg19", "random", 1)
VGG_LAYERS = tuple(
    f"block{block}_conv{one}" for block, depth in enumerate((2, 2, 4, 4, 4), 1) for one in range(1, depth + 1)
)
PASSES = (
    ("InceptionV3, stem2 to mixed4, 299 px", INCEPTION, INCEPTION_LAYERS, 299, 12 * TOGETHER),
    ("VGG19, all 16 convolutions, 224 px", VGG, VGG_LAYERS, 224, 6 * TOGETHER),
)
SEARCHED = ("mixed3", "mixed4")
SIDE, SHOWN, DRAWN = 192, 299, 80  # px: of the files, as the network is shown them, and of the layers' own pictures


def passes(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """What is kept of images beside the network's own work, per image that is in memory."""
    start_tensorflow(1)
    for name, ref, layers, size, count in PASSES:
        plain, probed = _turns(ref, layers, size, count, given.repeats)
        yield f"{name}: looking at all layers / one plain pass", _ratio(probed, plain), "<= 1.2"
        each = [1000 * seconds / count for seconds in plain]
        yield f"{name}: the plain pass, for each image", f"{median(each):.0f} ms ({min(each):.0f}-{max(each):.0f})", ""


def _turns(
    ref: NetworkRef, layers: Sequence[str], size: int, count: int, repeats: int
) -> tuple[list[float], list[float]]:
    """Seconds of plain passes over images, and of looking at them by all layers."""
    import tensorflow as tf

    from atlas.networks.cut import activations
    from atlas.networks.load import load

    network = load(ref)
    deepest = network.cut(layers[-1])
    shape = tf.TensorSpec([TOGETHER, size, size, 3], tf.uint8)

    @tf.function(input_signature=[shape], autograph=False)  # type: ignore[untyped-decorator]
    def forward(pixels: Any) -> Any:
        return activations(deepest.see(tf.cast(pixels, tf.float32) / 255.0), deepest.main)

    probe = Probe(network.cuts(layers, size), size, Probes(images=DEMO).exemplars)
    sources = [source for source in find_images(DEMO) if source.digest][:count]
    shown = np.stack([open_image(source.path, size, "middle") for source in sources])
    shown = np.concatenate([shown] * -(-count // len(shown)))[:count]
    batches = [shown[first : first + TOGETHER] for first in range(0, count, TOGETHER)]
    passed: list[float] = []

    def turns() -> Iterator[tuple[Any, Any]]:
        for some in batches:
            began = time.process_time()
            forward(some).numpy()
            passed.append(time.process_time() - began)
            yield np.arange(len(some)), some

    probe.look((np.arange(TOGETHER), some) for some in batches[:1])
    forward(batches[0])
    plain, probed = [], []
    for _ in range(repeats):
        passed.clear()
        began = time.process_time()
        probe.look(turns())
        plain.append(sum(passed))
        probed.append(time.process_time() - began - sum(passed))
    return plain, probed


def _ratio(over: Sequence[float], under: Sequence[float]) -> str:
    each = [one / other for one, other in zip(over, under, strict=True)]
    return f"{median(over) / median(under):.2f} ({min(each):.2f}-{max(each):.2f})"


def memory(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Peak memory of many images beside that of few."""
    _make_images(out / "images", given.many)
    found: dict[int, list[tuple[float, float]]] = {given.few: [], given.many: []}
    for _ in range(given.memory_repeats):
        for count, samples in found.items():
            command = [sys.executable, __file__, str(out), "--search", str(count)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            samples.append((float(said[-2]), float(said[-1])))
    few, many = ([peak for peak, _ in found[count]] for count in (given.few, given.many))
    yield f"{' and '.join(SEARCHED)}: peak memory, {given.many:,} / {given.few:,} images", _ratio(many, few), "<= 1.1"
    for count, peaks in ((given.few, few), (given.many, many)):
        yield f"peak memory, {count:,} images", f"{median(peaks):.2f} GB ({min(peaks):.2f}-{max(peaks):.2f})", ""
        seconds = median(seconds for _, seconds in found[count])
        yield (
            f"seconds of one worker, {count:,} images of {SHOWN} px, decoding and sheets included",
            f"{seconds:.0f}",
            "",
        )


def _make_images(folder: Path, count: int) -> None:
    """So many small photographs: parts of the pictures of scikit-image, some of them turned round."""
    rng = np.random.default_rng(0)
    whole = []
    for source in find_images(DEMO):
        with Image.open(source.path) as image:
            if min(image.size) > SIDE:
                whole.append(image.convert("RGB"))
    for number in range(count):
        path = folder / f"label{number % 10}" / f"{number}.jpg"
        picture = whole[number % len(whole)]
        left, top = (int(rng.integers(0, length - SIDE)) for length in picture.size)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = picture.crop((left, top, left + SIDE, top + SIDE))
            (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part).save(path, quality=85)


def search(out: Path, count: int) -> None:
    """Look at so many of the images and find out what they tell, here; prints GB of peak memory, and seconds."""
    store = Store(str(out / f"store-{count}"))
    known, weights = facts(INCEPTION), locate(INCEPTION)
    recipe = RECIPES["default"].model_copy(update={"size": DRAWN})
    groups: list[Group] = []
    done = {}
    pixels = lossless(np.random.default_rng(0).integers(0, 256, (DRAWN, DRAWN, 3), np.uint8))
    for layer in known.layers:
        if layer.name in SEARCHED:
            jobs = tuple(Job(channel, f"{len(groups):02x}{channel:062x}") for channel in range(layer.channels))
            groups.append(Group(layer, "main", recipe, "", jobs))
            for job in jobs:
                entry = Entry(job.key, {}, pixels)
                store.put(entry)
                done[job.key] = Done(job.key, job.channel, "activated", entry.checksum)
    asked = Probes(images=str(out / "images"), limit=count)
    sources = find_images(asked.images, asked.limit, asked.seed)
    probing = Probing("bench", sources, asked, SHOWN)
    began = time.perf_counter()
    setting = Setting(INCEPTION, "inceptionv3", weights.digest, store.address, 1, "cpu")
    found = findings(mains(Plan(INCEPTION, tuple(groups)), done), setting, probing)
    shown = [one.layer for one in found] + [IMAGES]
    for work in (*looks(probing, shown, setting, store), *found):
        for one in study(work).done:
            if one.error:
                sys.exit(f"{work.recipe_name}: {one.error}")
    seconds = time.perf_counter() - began
    shutil.rmtree(out / f"store-{count}")
    sys.stdout.write(f"{_peak()} {seconds}\n")


def _peak() -> float:
    """GB of this process's peak memory: getrusage counts from that of the process which started this one."""
    status = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(peak) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what real images cost.")
    parser.add_argument("--repeats", type=int, default=5, help="turns of passes")
    parser.add_argument("--memory-repeats", type=int, default=1, help="turns of memory, which take minutes")
    parser.add_argument("--few", type=int, default=500, help="images")
    parser.add_argument("--many", type=int, default=5000, help="images")
    if "--search" in sys.argv:
        search(Path(sys.argv[1]), int(sys.argv[-1]))
        return
    table({"passes": passes, "memory": memory}, parser)


if __name__ == "__main__":
    main()
