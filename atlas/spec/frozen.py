"""The ground of every model: nothing unknown, nothing that changes, no silent conversion."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of every model: unknown keys are errors, values never change, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _path(text: str) -> str:
    if not text or "\0" in text or len(text.encode()) > 1000 or any(len(part) > 200 for part in text.split("/")):
        raise ValueError("expected a name or path of at most 200 characters between slashes, 1,000 in all")
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise ValueError("expected a path, or one that starts in a home folder that there is") from error


def _address(text: str) -> str:
    return text if "://" in text and len(text) <= 1000 and text.isprintable() else _path(text)


AddressText = Annotated[str, AfterValidator(_address), Field(json_schema_extra={"format": "path-or-address"})]
NameText = Annotated[str, AfterValidator(_path), Field(json_schema_extra={"format": "name-or-path"})]
PathText = Annotated[str, AfterValidator(_path), Field(json_schema_extra={"format": "path"})]
