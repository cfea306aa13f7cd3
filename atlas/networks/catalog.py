"""Facts of every network, without TensorFlow: from records that come with atlas, or are made once and kept."""

from pathlib import Path

from atlas.errors import NetworkError
from atlas.networks import foreign
from atlas.networks.families import family_of, networks, preprocessing
from atlas.networks.record import Record, digest_of, record
from atlas.spec.facts import NetworkFacts, NetworkRef, is_path

__all__ = ["facts", "networks", "preprocessing"]


def facts(ref: NetworkRef) -> NetworkFacts:
    """What is known of a network: its layers, preprocessing, sizes, paper.

    The id of a user's own network is ``own-`` and the first digits of its file's sha256, so that neither its path nor
    its name decides a key; its title is the file's name.

    Raises: NetworkError when there is no such network (with the nearest right name), when a file cannot be looked at,
    or when it comes without preprocessing.
    """
    if is_path(ref.network):
        return _own(ref)
    family = family_of(ref.network)
    found = record(ref.network, ref.classes)
    return NetworkFacts(
        id=ref.network,
        title=family.keras_name(ref.network),
        layers=found.layers,
        preprocessing=ref.preprocessing or preprocessing(family.preprocessing),
        size=found.size,
        smallest=found.smallest,
        paper=family.paper,
        note=_note(found),
        resizes=found.fixed is not None,
    )


def _own(ref: NetworkRef) -> NetworkFacts:
    path = Path(ref.network)
    foreign.check(path)
    if ref.preprocessing is None:
        raise NetworkError(
            f"{path}: expected preprocessing: tf, caffe, torch, none or numbers with a network of one's own, received "
            "none; say how pictures were prepared for its training"
        )
    found = record(ref.network, ref.classes)
    return NetworkFacts(
        id=f"own-{digest_of(ref.network)[:12]}",
        title=path.stem,
        layers=found.layers,
        preprocessing=ref.preprocessing,
        size=found.size,
        smallest=found.smallest,
        note=_note(found),
        file=path.name,
        whole=found.whole,
        grey=found.grey,
    )


def _note(found: Record) -> str:
    if found.fixed is None:
        return ""
    height, width = found.fixed
    return f"Pictures are resized to {height} x {width} inside the graph, since the network takes no other size."
