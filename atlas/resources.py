"""Where the files that travel with the program lie: in a wheel, in a checkout, in an editable install."""

from pathlib import Path

from atlas.errors import AtlasError

PACKAGE = Path(__file__).resolve().parent


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
