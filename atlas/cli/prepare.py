"""What the commands of a build have in common: a checked request, its plan, and what the store has of it."""

from dataclasses import dataclass, replace
from typing import Any

from atlas.cli import options
from atlas.cli.progress import Observer
from atlas.errors import AtlasError

LONG = 60.0  # seconds: a build that takes longer than this has its time left told from a measured speed


@dataclass(frozen=True)
class Prepared:
    """A checked request with its plan and what the store has of it.

    ``file`` is the name of the configuration's file; ``asked`` the request as it stands there, and in ``request`` it is
    settled what ``arithmetic: auto`` means. ``whole`` is the plan that ``plan`` is a part of; ``unstudied`` what can be
    found out of its layers and is not in the store; ``before`` the record of the atlas's last build, None of a first.
    """

    file: str
    asked: Any
    request: Any
    weights: Any
    plan: Any
    whole: Any
    build: Any
    outcome: Any
    unstudied: Any
    before: Any

    def record(self) -> dict[str, Any]:
        """The record of the atlas as it stands."""
        from atlas.engine.arithmetic import ARITHMETIC
        from atlas.engine.record import atlas_record

        found = self.weights
        weights = {
            "kind": found.kind,
            "digest": found.digest,
            "description": found.description,
            "licence": found.licence,
            "seed": self.request.ref.seed,
        }
        found = atlas_record(self.request, weights, self.plan, self.outcome, self.build.photos)
        return found | ({ARITHMETIC: "bfloat16"} if self.takes_16_bits else {})

    @property
    def takes_16_bits(self) -> bool:
        """Whether recipes that name no arithmetic are computed in bfloat16."""
        return bool(self.asked.computed("bfloat16") == self.request != self.asked.computed("fast"))

    @property
    def keys(self) -> set[str]:
        """The keys of all pictures, whatever ``arithmetic: auto`` means."""
        from atlas.spec.plan import make_plan

        plans = (make_plan(self.asked.computed(one), self.weights.digest) for one in ("fast", "bfloat16"))
        return {job.key for plan in plans for _, job in plan.jobs()}

    @property
    def anew(self) -> Any:
        """What the last build of this atlas had and this one renders again, and why; None where nothing is."""
        from atlas.engine.anew import made_anew

        return made_anew(self.before if self.missing else None, self.weights.digest, self.plan, self.outcome)

    @property
    def store(self) -> Any:
        """Where results are kept."""
        return self.build.store

    @property
    def missing(self) -> int:
        """How many pictures are not there."""
        return len(self.plan) - len(self.outcome.done)

    @property
    def complete(self) -> bool:
        """Whether all pictures are there, and all that can be found out of the layers was."""
        return not self.missing and not self.unstudied

    @property
    def studied(self) -> set[str]:
        """The keys of what was found out, and of what was looked at for it."""
        found = {one.key for kind in self.outcome.found.values() for one in kind.values()}
        probing = self.build.probing
        layers = ["", *(group.layer.name for group in self.plan.groups)]
        return found | ({key for layer in layers for key in probing.looks(layer)} if probing else set())

    @property
    def skipped(self) -> list[list[str]]:
        """Names of the images that could not be shown to the network, and why."""
        layer = next(iter(self.outcome.found.get("images", {})), None)
        found: list[list[str]] = self.build.probing.skipped(self.store, layer) if layer else []
        return found

    def part(self, shard: tuple[int, int]) -> "Prepared":
        """The same for one of several parts of the plan."""
        plan = self.plan.part(*shard)
        return replace(self, plan=plan, outcome=self.outcome.of(plan))


def prepare(config: str, given: dict[str, Any], limit: int | None, alone: bool = True) -> Prepared:
    """Read the configuration, plan, and look into the store. No TensorFlow for a network that is known.

    ``alone`` says that no other machine makes a part of the atlas.
    """
    from atlas.engine.arithmetic import chosen
    from atlas.engine.record import kept_record, named
    from atlas.engine.run import Build, look_up, to_study
    from atlas.networks.answers import catalog
    from atlas.networks.weights import locate
    from atlas.spec.load import load_request
    from atlas.spec.plan import make_plan
    from atlas.store.store import Store

    path = options.find_config(config)
    request = load_request(path, given, catalog(), limit)
    found, store = locate(request.ref), Store(request.store)
    before = kept_record(store, named(request), request.output)

    def looked_up(arithmetic: str) -> tuple[Any, Any]:
        plan = make_plan(request.computed(arithmetic), found.digest)
        return plan, look_up(plan, store, request.record)

    arithmetic = chosen(request, before, lambda one: bool(looked_up(one)[1].done), alone)
    plan, outcome = looked_up(arithmetic)
    asked, request = request, request.computed(arithmetic)
    probing = _probing(request, found.digest) if request.probes else None
    photos = _photos(request, probing.identity) if probing else None
    classes = request.facts.classifier
    build = Build(
        request.name,
        request.facts.id,
        found.digest,
        store,
        request.compute,
        request.record,
        probing,
        photos,
        classes.name if classes else None,
        _theirs(request) if request.compare else None,
    )
    unstudied = to_study(plan, outcome, build)
    return Prepared(path.name, asked, request, found, plan, plan, build, outcome, unstudied, before)


def _probing(request: Any, weights_digest: str) -> Any:
    """The images that a request names, found and read."""
    from atlas.engine.probing import Probing
    from atlas.images.folders import find_images
    from atlas.spec.plan import seen_by

    probes = request.probes
    sources = find_images(probes.images, probes.limit, probes.seed)
    return Probing(seen_by(request, weights_digest), sources, probes, probes.size)


def _photos(request: Any, identity: str) -> Any:
    """Those of the images whose maps are shown, None where there are none, or where no image may be shown."""
    from atlas.engine.photos import Photos, layers_before
    from atlas.images.folders import find_photos
    from atlas.networks.weights import available
    from atlas.spec.probing import PHOTOS

    probes = request.probes
    if not probes.photos or not probes.publish_images:
        return None
    names = [layer.facts.name for layer in request.layers]
    layers = layers_before(request.facts, names, lambda layer: available(request.ref, layer))
    sources = find_photos(probes.images, probes.photos, PHOTOS)
    return Photos(identity, layers, sources, probes.size, probes.crop)


def _theirs(request: Any) -> Any:
    """The pictures by others that a request names, found and read."""
    from atlas.probes.theirs import Called, find_theirs

    layers = [
        Called(
            layer.facts.name,
            place.op if place else (),
            (place.folder,) if place else (),
            frozenset(layer.channels),
        )
        for layer, place in called(request)
    ]
    return find_theirs(request.compare.pictures, request.compare.names, layers)


def called(request: Any) -> list[tuple[Any, Any]]:
    """The layers of a request, each with its place in Microscope, None where it has none."""
    from atlas.microscope import microscope
    from atlas.spec.load import WEIGHTS

    kind = request.ref.weights if request.ref.weights in WEIGHTS else "file"
    places = (microscope(request.facts.id, layer.facts.name, kind) for layer in request.layers)
    return list(zip(request.layers, places, strict=True))


def render(prepared: Prepared, watch: Observer) -> bool:
    """Make what is missing; whether all of it was tried, and Ctrl-C did not end it before."""
    from atlas.cli.progress import Expected, Row
    from atlas.engine.arithmetic import check_native
    from atlas.engine.dispatch import Interrupts
    from atlas.engine.record import keep_record
    from atlas.engine.run import run
    from atlas.networks.weights import ensure

    request = prepared.request
    missing = [(group, count) for group in prepared.plan.groups if (count := len(prepared.outcome.missing(group)))]
    in_16_bits = [group.recipe_name for group, _ in missing if group.recipe.arithmetic == "bfloat16"]
    check_native(request.compute, list(dict.fromkeys(in_16_bits)))
    ensure(request.ref)  # before any worker starts: a download, or one clear sentence
    if missing and prepared.before is None and prepared.takes_16_bits:  # held from the first picture on
        watch.say("pictures are computed in bfloat16 (16 bits); for 32 bits write arithmetic: fast into the recipe")
        keep_record(prepared.store, prepared.record(), request.output)
    found = _estimated(missing, prepared, watch)
    rows = [
        Row(group.layer.name, group.recipe_name, count, cost)
        for (group, count), cost in zip(missing, found.groups, strict=True)
    ]
    interrupts = Interrupts(lambda: watch.say("interrupted: what is in flight is finished; once more to stop at once"))
    workers = None if request.compute.backend == "dask" else found.workers
    with watch.rendering(Expected(rows, workers, found.by != "guessed")), interrupts.heard():
        run(
            prepared.plan,
            prepared.build,
            prepared.outcome,
            watch.report,
            watch.studied,
            lambda: interrupts.asked,
            prepared.whole,
        )
    return not interrupts.asked


def _estimated(missing: list[tuple[Any, int]], prepared: Prepared, watch: Observer) -> Any:
    """How long the pictures of some groups take; a build that takes longer measures the machine's speed once."""
    from atlas.engine.estimate import estimate
    from atlas.engine.workers import on_cores

    compute = prepared.request.compute
    found = estimate(missing, compute, prepared.store)
    if found.by == "calibrated" or found.total < LONG or not on_cores(compute) or compute.backend == "sequential":
        return found
    from atlas.ascent.calibration import calibrate

    watch.say("measuring this machine's speed, once")
    try:
        calibrate()
    except AtlasError:  # the build goes on without
        return found
    return estimate(missing, compute, prepared.store)


def kept(prepared: Prepared) -> str:
    """What an interrupted build says last."""
    count = len(prepared.outcome.done) - len(prepared.outcome.failed)
    return f"interrupted: {count:,} of {len(prepared.plan):,} pictures are kept; build again to go on"
