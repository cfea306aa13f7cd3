"""What decides how the pages of a site look, beside its own options."""

from dataclasses import dataclass
from pathlib import Path

from atlas.pages.addresses import static
from atlas.resources import resource

LOGO = "logo"  # the name of the user's own, before its suffix


@dataclass(frozen=True)
class Theme:
    """The folder of the user's ``own`` templates, and a picture as ``logo``; None where there is none.

    ``shelf`` says that a list of atlases stands, or will stand, in the folder above.
    """

    own: Path | None = None
    logo: Path | None = None
    shelf: bool = False

    @property
    def templates(self) -> Path:
        """The folder of the templates that come with atlas."""
        return resource("templates")

    @property
    def mark(self) -> str:
        """The address of the picture in the corner of every page."""
        return static(f"{LOGO}{self.logo.suffix.lower()}" if self.logo else "icon.svg")
