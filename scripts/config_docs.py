"""Fills the tables of keys of docs/configuration.md from the models themselves: ``python scripts/config_docs.py``.

A table stands between ``<!-- keys of MODEL -->`` and ``<!-- end -->``; all else on the page is written by hand. A test
keeps the tables true.
"""

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from atlas.spec.comparing import Compare
from atlas.spec.config import Compute, Config, LayerChoice, Numbers, SiteOptions
from atlas.spec.probing import Probes
from atlas.spec.website import Note

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
MODELS = {
    model.__name__: model for model in (Config, LayerChoice, Numbers, Probes, Compare, Compute, SiteOptions, Note)
}
SECTIONS = {
    "LayerChoice": "layers",
    "Numbers": "preprocessing-in-numbers",
    "Probes": "real-images",
    "Compare": "pictures-by-others",
    "Compute": "compute",
    "SiteOptions": "site",
}
FORMATS = {
    "path": "a path",
    "name-or-path": "a name or a path",
    "path-or-address": "a path or an address",
    "channels": 'runs such as `"0-63,100"`',
    "uri": "an address that begins with `http://` or `https://`",
    "color-hex": "`#` and six hexadecimal digits, in quotes",
}
LEFT_OUT = " when left out."


def page(text: str) -> str:
    """The page with its tables filled, of the page as it is."""
    return re.sub(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", _region, text, flags=re.DOTALL)


def _region(found: re.Match[str]) -> str:
    return f"{found[1]}\n{table(MODELS[found[2]])}\n{found[3]}"


def table(model: type[BaseModel]) -> str:
    """The table of a model's keys."""
    schema = model.model_json_schema()
    lines = ["| key | means | value | when left out |", "|---|---|---|---|"]
    for key, value in schema["properties"].items():
        means, left_out = _means(key, value, key in schema.get("required", ()))
        cells = (f"`{key}`", means, _words(value), left_out)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _means(key: str, value: dict[str, Any], required: bool) -> tuple[str, str]:
    """What a key means, and what holds when it is left out, which the description says where the default is None."""
    said = value["description"]
    if said.endswith(LEFT_OUT):
        means, _, left_out = said.removesuffix(LEFT_OUT).rpartition("; ")
        return _sentence(means), left_out.rstrip(",")
    if required:
        return _sentence(said), "required"
    if value["default"] is None:
        raise ValueError(f"{key}: expected a description that ends in what holds when left out, received {said}")
    return _sentence(said), _default(value)


def _sentence(said: str) -> str:
    return said.rstrip(".")


def _default(value: dict[str, Any]) -> str:
    default = value["default"]
    if "$ref" in value:
        return "each key's own"
    return f"`{_yaml(default).removeprefix('{').removesuffix('}')}`" if default != [] else "none"


def _yaml(value: Any) -> str:
    """A default as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(value: dict[str, Any]) -> str:
    """What a key may have, in words, of its JSON schema."""
    choices = [word for one in value.get("anyOf", [value]) for word in _choices(one)]
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)


def _choices(value: dict[str, Any]) -> list[str]:
    if value.get("type") == "null":
        return []
    if "enum" in value or "const" in value:
        return [f"`{one}`" for one in value.get("enum", [value.get("const")])]
    return [_kind(value)]


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return f"[a map](#{SECTIONS[value['$ref'].rpartition('/')[2]]})"
    if value["type"] == "array":
        return _list(value)
    if value["type"] == "integer":
        return _whole(value)
    if value["type"] == "string":
        most = f" of at most {value['maxLength']:,} characters" if "maxLength" in value else ""
        return FORMATS.get(value.get("format", ""), "text" + most)
    return {"boolean": "`true` or `false`", "number": "a number", "object": "a map of maps"}[value["type"]]


def _list(value: dict[str, Any]) -> str:
    if "prefixItems" in value:
        return f"a list of {len(value['prefixItems'])} numbers"
    most = f" of at most {value['maxItems']}" if "maxItems" in value else ""
    return f"a list{most}; each {_words(value['items'])}"


def _whole(value: dict[str, Any]) -> str:
    least, most = value.get("minimum", 0), value.get("maximum")
    if most is None:
        below = value.get("exclusiveMaximum")
        return f"a whole number from {least}" + (f" to 2^{below.bit_length() - 1} - 1" if below else "")
    return f"a whole number from {least:,} to {most:,}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
