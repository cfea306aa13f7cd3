"""Where files lie: those that travel with the program (in a wheel, a checkout, an editable install), and the user's."""

import os
from importlib.util import find_spec
from pathlib import Path

from atlas.errors import AtlasError

PACKAGE = Path(__file__).resolve().parent
DEMO = "scikit-image"  # in the place of a folder of images: those that this package brings


def resource(kind: str) -> Path:
    """Folder of the packaged files of one kind.

    Parameters: ``kind`` is ``templates`` or ``configs``. A wheel carries them inside the package, in ``_data``; a
    checkout and an editable install have them beside the package.

    Raises: AtlasError when neither place has the folder, which means a broken installation.
    """
    for folder in (PACKAGE / "_data" / kind, PACKAGE.parent / kind):
        if folder.is_dir():
            return folder
    raise AtlasError(
        f"{kind}: expected a folder in {PACKAGE / '_data'} or {PACKAGE.parent}, found none; reinstall atlas"
    )


def home() -> Path:
    """The user's home folder. Of a user who has none, a place where nothing is and nothing can be written."""
    try:
        return Path.home()
    except RuntimeError:  # no HOME, and no entry among the system's users
        return Path(os.devnull)


def cache_folder() -> Path:
    """Where atlas keeps what it can find again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "atlas"


def demo_images() -> Path:
    """The folder of the images that scikit-image brings. Raises AtlasError without that package."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise AtlasError(
            f"{DEMO}: expected this package, received none; install atlas-microscope[demo], or name images of your own"
        )
    return Path(package.origin).parent / "data"
