"""What a network's classes are called: by its user, or by ImageNet's list in Keras's folder."""

import contextlib

from atlas.errors import AtlasError
from atlas.networks.catalog import facts
from atlas.networks.weights import CLASS_INDEX, keras_folder
from atlas.spec.class_names import read_class_names
from atlas.spec.facts import NetworkRef, is_path

IMAGENET = 1000  # classes


def class_names(ref: NetworkRef, given: tuple[str, ...] | None = None) -> tuple[str, ...] | None:
    """The name of each of a network's classes, in their order; None where they have only numbers, or there are none.

    Parameters: ``given`` are the user's own, as ``spec.load`` has read and counted them. Without them a network of
    keras.applications with ImageNet's weights has the names of ImageNet's list, where that lies in Keras's folder.
    Weights from a file may have been trained on other classes, and random ones on none. Nothing is downloaded: the list
    comes with a download of weights.

    Raises: NetworkError as ``facts`` when there is no such network.
    """
    if given is not None:
        return given
    classifier = facts(ref).classifier
    count = classifier.channels if classifier else 0
    if count == IMAGENET and ref.weights == "imagenet" and not is_path(ref.network):
        with contextlib.suppress(AtlasError):  # not there, or damaged
            return read_class_names(keras_folder() / CLASS_INDEX, IMAGENET)
    return None
