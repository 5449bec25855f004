"""What the parsers of all formats share: bounded reading, and errors that name the place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import GateError
from engine.gates.reports.finding import Finding, Severity

MAX_BYTES = 32 * 1024 * 1024
"""The largest report that is read."""

MAX_FINDINGS = 50_000
"""How many findings one report may have."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PROBLEM_WIDTH = 200
# Trivy writes nanoseconds, which datetime cannot hold.
_FRACTION = re.compile(r"(\.\d{6})\d+")
_DIGEST = re.compile(r"\bsha256(?::|%3[aA])([0-9a-fA-F]{64})(?![0-9a-fA-F])")
_SCORES = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
MAX_SCORE = 10.0
"""The highest CVSS score."""


class Part(BaseModel):
    """A part of a report. What we do not read may be anything."""

    model_config = ConfigDict(strict=True, extra="ignore")


PartT = TypeVar("PartT", bound=Part)


def parsed(data: bytes, model: type[PartT], what: str) -> PartT:
    """The report in `data`, UTF-8 with or without a byte order mark.

    Args:
        what: the name of the format, for the message.

    Raises:
        GateError: it is larger than `MAX_BYTES`, no JSON, or does not fit the model; names the
            first place that is wrong.
    """
    if len(data) > MAX_BYTES:
        raise too_large(len(data))
    try:
        return model.model_validate_json(data.removeprefix(_BYTE_ORDER_MARK))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = shorten(first["msg"].removeprefix("Value error, "), _PROBLEM_WIDTH)
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        place = f"{shorten(where, _PROBLEM_WIDTH)}: " if where else ""
        raise GateError(f"not {what}: {place}{problem}{also}") from error


def too_large(size: int) -> GateError:
    """The error for a report of `size` bytes, more than are read."""
    return GateError(
        f"it has {size} bytes, more than the {MAX_BYTES // (1024 * 1024)} MiB that are read; "
        "have the scanner leave out what is not about vulnerabilities"
    )


def bounded(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    """All findings of a report.

    Raises:
        GateError: there are more than `MAX_FINDINGS`.
    """
    found: list[Finding] = []
    for finding in findings:
        if len(found) == MAX_FINDINGS:
            raise GateError(f"it has more than {MAX_FINDINGS} findings; split what is scanned")
        found.append(finding)
    return tuple(found)


def moment(text: str | None, where: str) -> datetime | None:
    """The time in RFC 3339 or ISO 8601 that a report gives; None for none, or for Go's zero time.

    A time without a zone is taken for UTC.

    Raises:
        GateError: it cannot be read.
    """
    if not text:
        return None
    try:
        read = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        in_utc = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        shown = shorten(repr(text), _PROBLEM_WIDTH)
        raise GateError(f"{where}: {shown} is no time") from error
    return None if in_utc.year == 1 else in_utc


def digests(texts: Sequence[str | None]) -> tuple[str, ...]:
    """The SHA-256 digests that stand in texts such as `name@sha256:<hex>`, each once, in order."""
    found = (
        f"sha256:{hexadecimal.lower()}"
        for text in texts
        for hexadecimal in _DIGEST.findall(text or "")
    )
    return tuple(dict.fromkeys(found))


def severity_of_score(score: float) -> Severity:
    """The severity of a CVSS score: from 9.0 critical, 7.0 high, 4.0 medium, above 0 low.

    A score of zero tells no severity.

    Source: https://www.first.org/cvss/v3.1/specification-document#Qualitative-Severity-Rating-Scale
    """
    for least, severity in _SCORES:
        if score >= least:
            return severity
    return Severity.LOW if score > 0 else Severity.UNKNOWN


def named(*parts: Any) -> str:
    """The given parts that are not empty, as one text."""
    return " ".join(str(part) for part in parts if part)
