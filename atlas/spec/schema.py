"""The JSON Schema of configurations, which editors use to complete and to check."""

from typing import Any

from atlas.spec.config import Config
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES


def json_schema() -> dict[str, Any]:
    """JSON Schema of a configuration, with the fields of recipes written out (a recipe names only what it changes)."""
    schema = Config.model_json_schema()
    recipe = Recipe.model_json_schema(ref_template="#/$defs/{model}")
    schema["$defs"] |= recipe.pop("$defs")
    recipe["properties"]["base"] = {"enum": list(RECIPES), "default": "default", "title": "Base"}
    schema["$defs"]["Recipe"] = recipe
    schema["properties"]["recipes"]["additionalProperties"] = {"$ref": "#/$defs/Recipe"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
