"""The site's own files: style, scripts, marks, and the user's colour."""

from atlas.pages.theme import Theme

FOLDER = "static"  # of templates/
JOINED = {"style": "site.css", "script": "site.js"}  # folders whose files make one
PAPER, INK = {"light": (253, 253, 252), "dark": (15, 15, 16)}, {"light": (0, 0, 0), "dark": (255, 255, 255)}
CONTRAST = 4.5  # of text on its ground, as WCAG 2.2 asks for (level AA)


def statics(theme: Theme, accent: str | None) -> dict[str, bytes]:
    """Every file of the site's own by its name under ``_/``; ``accent`` is a colour such as ``#a5401f`` or None."""
    folder = theme.templates / FOLDER
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    for part, name in JOINED.items():
        found[name] = b"\n".join(path.read_bytes() for path in sorted((folder / part).iterdir()))
    if theme.logo:
        found[theme.mark.rpartition("/")[2]] = theme.logo.read_bytes()
    if accent:
        found["theme.css"] = _colours(accent)
    return found


def static_names(theme: Theme) -> list[str]:
    """The names of those files, without the user's colour."""
    return list(statics(theme, None))


def _colours(accent: str) -> bytes:
    """A style sheet with the accent, made darker on light and lighter on dark ground until it can be read."""
    given = tuple(int(accent[place : place + 2], 16) for place in (1, 3, 5))
    light, dark = (_legible(given, scheme) for scheme in ("light", "dark"))
    return (
        f":root {{\n  --accent: {light};\n}}\n\n"
        f"@media (prefers-color-scheme: dark) {{\n  :root {{\n    --accent: {dark};\n  }}\n}}\n"
    ).encode()


def _legible(colour: tuple[int, ...], scheme: str) -> str:
    for share in range(0, 101, 2):
        mixed = tuple(round(a + (b - a) * share / 100) for a, b in zip(colour, INK[scheme], strict=True))
        if _contrast(mixed, PAPER[scheme]) >= CONTRAST:
            break
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The contrast ratio of two sRGB colours, 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[int, ...]) -> float:
    linear = [(part / 255 / 12.92) if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
