"""Compare every network of keras.applications as atlas builds it with what Keras itself builds for ImageNet weights.

    python scripts/architectures.py [NETWORK ...]

Keras is patched here, for this process, so that it downloads and reads nothing; atlas patches nothing. Layers with
their configurations, connections, shapes of weights and the file to download have to be the same, with classes and
without. Takes ten minutes for all; ends with exit code 1 when one differs.
"""

import sys
import warnings
from typing import Any
from unittest import mock

from atlas.networks.architectures import Download, build
from atlas.networks.families import family_of, networks
from atlas.runtime import settled, start_tensorflow


def by_keras(network: str, classes: bool) -> tuple[Any, Download]:
    """The architecture and its download as Keras's own code makes and names them."""
    import keras
    from keras.src.utils import file_utils

    family = family_of(network)
    side = None if family.free and not classes else family.size(network)
    with (
        mock.patch.object(file_utils, "get_file", return_value="") as asked,
        mock.patch.object(keras.Model, "load_weights"),
        keras.StatelessScope(initialize_variables=False),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        make = getattr(keras.applications, family.keras_name(network))
        model = make(include_top=classes, weights="imagenet", input_shape=(side, side, 3))
    args, kwargs = asked.call_args_list[0]
    named = {**dict(zip(("fname", "origin"), args, strict=False)), **kwargs}
    return model, Download(named["fname"], named["origin"], named.get("file_hash") or "")


def told(model: Any) -> str:
    """All that a model is, but for the values of its weights, as a text that can be compared."""
    layers = [(type(layer).__name__, layer.get_config()) for layer in model.layers]
    nodes = [node for depth in sorted(model._nodes_by_depth) for node in model._nodes_by_depth[depth]]
    edges = [[tensor._keras_history.operation.name for tensor in node.input_tensors] for node in nodes]
    return repr((model.name, layers, edges, [(weight.path, weight.shape, weight.dtype) for weight in model.weights]))


def same(network: str, classes: bool) -> bool:
    """Whether atlas builds what Keras builds, both with names counted from the start."""
    found = []
    for make in (build, by_keras):
        with settled():
            model, download = make(network, classes)
        found.append((told(model), download))
    return found[0] == found[1]


def main() -> None:
    """Print a line for each network that differs, and a sum."""
    start_tensorflow(1)
    asked = sys.argv[1:] or networks()
    differ = [(one, classes) for one in asked for classes in (False, True) if not same(one, classes)]
    for one, classes in differ:
        print(f"{one}{' with classes' if classes else ''}: differs from Keras's own")
    print(f"{len(asked)} networks, with classes and without: {len(differ)} differ")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
