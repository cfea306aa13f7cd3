"""atlas: a batch microscope that turns an image network into a browsable static website.

From Python: ``atlas.maximize``, ``atlas.feature_maps`` and ``atlas.exemplars``, see docs/python.md. Importing this
package never imports TensorFlow; its functions do when they are first asked for.
"""

from importlib import import_module

TYPE_CHECKING = False  # typing's own would be looked for in the current folder, which `python -m atlas` takes out later
if TYPE_CHECKING:
    from typing import Any

    from atlas.api.images import exemplars, feature_maps
    from atlas.api.pictures import maximize

__version__ = "0.1.0"
__all__ = ["__version__", "exemplars", "feature_maps", "maximize"]

_MODULES = {"exemplars": "atlas.api.images", "feature_maps": "atlas.api.images", "maximize": "atlas.api.pictures"}


def __getattr__(name: str) -> "Any":
    if name not in _MODULES:
        raise AttributeError(f"module 'atlas' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
