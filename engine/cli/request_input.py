"""Read a promotion request from a file or standard input, in JSON or YAML."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.documents.source import SourceDocument
    from engine.model.promotion import PromotionRequest

_OPTION = "--input"
_STDIN = "-"


def read_request(source: str) -> PromotionRequest:
    """The request in the file `source`, or in standard input when that is `-`.

    Raises:
        InputError: it cannot be read, is neither JSON nor YAML, or is no request.
    """
    from engine.model.promotion import PromotionRequest

    if source != _STDIN:
        return _read(Path(source)).validate(PromotionRequest)
    with tempfile.TemporaryDirectory(prefix="promote-") as directory:
        copy = Path(directory) / "request"
        copy.write_bytes(sys.stdin.buffer.read())
        try:
            return _read(copy).validate(PromotionRequest)
        except InputError as error:
            field = error.field.replace(str(copy), "standard input")
            raise type(error)(field, error.problem, error.remedy) from error


def _read(path: Path) -> SourceDocument:
    from engine.documents.yaml import read

    # JSON is YAML, so that one reader does for both; but whoever writes JSON wants to be told
    # about JSON, and YAML takes some of what JSON does not.
    broken = _json_error(path)
    try:
        source = read(path)
    except InputError as error:
        if broken is None:
            raise
        raise _not_json(path, broken) from error
    if broken is not None and path.suffix == ".json":
        raise _not_json(path, broken)
    return source


def _json_error(path: Path) -> json.JSONDecodeError | None:
    """What is wrong with a file that is meant to be JSON; None for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    if path.suffix != ".json" and not text.lstrip().startswith(("{", "[")):
        return None
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error
    return None


def _not_json(path: Path, error: json.JSONDecodeError) -> InputError:
    return InputError(
        f"{path}:{error.lineno}:{error.colno}",
        f"is not well-formed JSON: {error.msg}",
        "correct this line",
    )
