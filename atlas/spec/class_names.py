"""The names of a network's classes, out of a file of lines or of Keras's form of JSON."""

import json
from pathlib import Path
from typing import Any

from atlas.errors import AtlasError

LARGEST = 10_000_000  # bytes of a file of names
LONGEST = 200  # characters of a name


def read_class_names(path: Path, count: int) -> tuple[str, ...]:
    """The names of ``count`` classes, in their order.

    A file that ends in ``.json`` is of the form of Keras's imagenet_class_index.json, ``{"0": ["n01440764", "tench"],
    ...}``, where an underscore stands for a space; any other has a name on each line. Two classes may have one name.

    Raises: AtlasError when there is no such file, when it is of another form or has more or fewer names.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise AtlasError(f"{path}: expected a file of names, received: {error.strerror}; check the path") from error
    if size > LARGEST:
        raise AtlasError(f"{path}: expected at most {LARGEST:,} bytes of names, received {size:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AtlasError(f"{path}: expected text in UTF-8, received byte {data[error.start]:#04x}") from error
    names = _of_json(path, text) if path.suffix.lower() == ".json" else _of_lines(text)
    if len(names) != count:
        raise AtlasError(f"{path}: expected {count} names, received {len(names)}")
    for number, name in enumerate(names):
        if not name or len(name) > LONGEST or not name.isprintable():
            said = f"expected a name of 1 to {LONGEST} characters that print for class {number}"
            raise AtlasError(f"{path}: {said}, received {ascii(name)[:40]}")
    return tuple(names)


def _of_lines(text: str) -> list[str]:
    """A name on each line; empty lines at the end are none."""
    return [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []


def _of_json(path: Path, text: str) -> list[str]:
    """The second of each class's two words, by the class's number."""
    form = '{"0": ["n01440764", "tench"], ...} with a number for each class from 0 on'
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AtlasError(f"{path}: expected JSON of the form {form}, received text that is none") from error
    if not isinstance(found, dict) or found.keys() != {str(number) for number in range(len(found))}:
        raise AtlasError(f"{path}: expected {form}, received something else")
    names = []
    for number in range(len(found)):
        words = found[str(number)]
        if not isinstance(words, list) or len(words) != 2 or not all(isinstance(word, str) for word in words):
            raise AtlasError(f"{path}: expected {form}, received something else for {number}")
        names.append(words[1].replace("_", " ").strip())
    return names
