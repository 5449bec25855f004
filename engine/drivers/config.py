"""Reading a target's `config:` with the model of its driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from engine.errors import InputError
from engine.model.base import Document, Json

DocumentT = TypeVar("DocumentT", bound=Document)


def parse_config(model: type[DocumentT], config: Mapping[str, Json]) -> DocumentT:
    """The typed form of `config`.

    Raises:
        InputError: the field is `config.<path>`, for example `config.health.url`.
    """
    try:
        return model.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(("config", *(str(part) for part in first["loc"])))
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields))
            at_top = len(first["loc"]) == 1
            remedy = f"this driver takes {known}" if at_top else "remove it or correct its spelling"
            raise InputError(field, "is not known", remedy) from error
        raise InputError(field, first["msg"].removeprefix("Value error, ")) from error
