"""Reading `otel-config.yaml`: variables filled in, and handed on as the standard OTEL_* variables.

Source: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from engine.documents.source import Location, Problem, SourceDocument
from engine.documents.yaml import read
from engine.model.base import Json
from engine.model.otel import OtelFile

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def load_otel(path: Path, environ: Mapping[str, str]) -> OtelFile:
    """Read the file, with `${VAR}` and `${VAR:-default}` replaced in its values.

    Raises:
        InputError: names every line that is wrong, also variables that are not set.
    """
    source = read(path)
    problems: list[Problem] = []
    data = _filled(source.data, (), environ, problems)
    if problems:
        raise source.error(problems)
    return SourceDocument(source.path, data, source.root).validate(OtelFile)


def otel_variables(file: OtelFile, environ: Mapping[str, str]) -> dict[str, str]:
    """What the file says, as the standard variables; those in `environ` win over the file.

    Returns:
        The variables to add to `environ`.
    """
    wanted = {
        "OTEL_BSP_SCHEDULE_DELAY": str(round(file.processors.batch.timeout.total_seconds() * 1000)),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(file.processors.batch.send_batch_size),
    }
    if file.service.name is not None:
        wanted["OTEL_SERVICE_NAME"] = file.service.name
    otlp = file.exporters.otlp
    if otlp is not None:
        has_scheme = "://" in otlp.endpoint
        wanted["OTEL_EXPORTER_OTLP_ENDPOINT"] = (
            otlp.endpoint if has_scheme else f"http://{otlp.endpoint}"
        )
        wanted["OTEL_EXPORTER_OTLP_PROTOCOL"] = otlp.protocol
    added = {name: value for name, value in wanted.items() if not environ.get(name, "").strip()}
    attributes = {each.key: each.value for each in file.resource.attributes}
    if file.service.version is not None:
        attributes["service.version"] = file.service.version
    if attributes:
        # The last of a key given twice wins, so what the environment says goes last.
        pairs = [f"{key}={_quoted(value)}" for key, value in attributes.items()]
        given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "").strip()
        added["OTEL_RESOURCE_ATTRIBUTES"] = ",".join([*pairs, given] if given else pairs)
    return added


def _filled(
    value: Json, location: Location, environ: Mapping[str, str], problems: list[Problem]
) -> Json:
    if isinstance(value, dict):
        return {
            key: _filled(item, (*location, key), environ, problems) for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _filled(item, (*location, index), environ, problems) for index, item in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        found = environ.get(name, "")
        if not found and default is None:
            problem = f"the variable {name} is not set"
            problems.append(Problem(location, problem, f"set it, or write ${{{name}:-default}}"))
        return found or default or ""

    return _REFERENCE.sub(replaced, value)


def _quoted(value: str) -> str:
    # https://opentelemetry.io/docs/specs/otel/resource/sdk/: values are percent-encoded.
    return re.sub(
        r"[^A-Za-z0-9._~:/-]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), value
    )
