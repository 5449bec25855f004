"""The one supervised service of a target."""

from __future__ import annotations

from engine.actions.propagation import trace_variables
from engine.drivers.directory.config import ServiceConfig
from engine.drivers.directory.layout import TargetDirectory
from engine.drivers.directory.process import (
    ProcessIdentity,
    has_become,
    inherited_environment,
    prepare,
    stop,
)
from engine.drivers.directory.state import load_value, save_value
from engine.model.agent_task import RunningVersion
from engine.model.base import Value

MAX_LOG_BYTES = 10 * 2**20

_TAIL_BYTES = 16 * 2**10


class ServiceRecord(Value):
    """What was started last. As long as it exists, the service is meant to run.

    Attributes:
        version: the release that it was started from.
        command, environment: as configured.
        process: None before the first start.
        log_start: where in the log its output begins, in bytes.
    """

    version: RunningVersion
    command: tuple[str, ...]
    environment: dict[str, str]
    process: ProcessIdentity | None = None
    log_start: int = 0


def load_record(directory: TargetDirectory) -> ServiceRecord | None:
    """The target's service; None when it has none."""
    return load_value(directory.service, ServiceRecord)


def is_running(record: ServiceRecord | None) -> bool:
    """Whether the recorded process runs its command. The caller holds the target's lock."""
    # An agent that dies between the record and the word leaves a process that never gets there.
    return record is not None and record.process is not None and has_become(record.process)


def ensure_running(
    directory: TargetDirectory, service: ServiceConfig, version: RunningVersion
) -> bool:
    """Make `service` run from `version`'s digest.

    Returns:
        Whether it was started; False when it already ran so.

    Raises:
        DriverError: the process before it cannot be stopped, or the command cannot be run.
    """
    record = load_record(directory)
    if (
        record is not None
        and record.version.digest == version.digest
        and record.command == service.command
        and record.environment == service.environment
        and is_running(record)
    ):
        return False
    if record is not None and record.process is not None:
        stop(record.process)
    start(
        directory,
        ServiceRecord(version=version, command=service.command, environment=service.environment),
    )
    return True


def retire(directory: TargetDirectory) -> None:
    """Stop the target's service for good.

    Raises:
        DriverError: it cannot be stopped.
    """
    record = load_record(directory)
    if record is not None and record.process is not None:
        stop(record.process)
    directory.service.unlink(missing_ok=True)


def start(directory: TargetDirectory, record: ServiceRecord) -> None:
    """Start what `record` says. Its process is on record before it does anything.

    Raises:
        DriverError: the command cannot be run.
    """
    _rotate_log(directory)
    log = directory.service_log
    with prepare(
        record.command,
        cwd=directory.release(record.version.digest),
        environment={
            **inherited_environment(),
            **record.environment,
            **own_variables(directory, record.version),
        },
        log=log,
    ) as launch:
        started = record.model_copy(
            update={"process": launch.identity, "log_start": log.stat().st_size}
        )
        # The environment may hold secrets.
        save_value(directory.service, started, mode=0o600)
        launch.go()


def own_variables(directory: TargetDirectory, version: RunningVersion) -> dict[str, str]:
    """The variables by which a started process learns what it is, and in which trace it started."""
    return {
        **trace_variables(),
        "PROMOTE_RELEASE": version.release,
        "PROMOTE_COMPONENT": version.component,
        "PROMOTE_DIGEST": version.digest,
        "PROMOTE_TARGET": directory.path.name,
    }


def log_tail(directory: TargetDirectory, record: ServiceRecord, lines: int = 20) -> str:
    """The last lines that the service wrote since it was started last."""
    try:
        with directory.service_log.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(record.log_start, size - _TAIL_BYTES))
            written = log.read()
    except FileNotFoundError:
        return ""
    return "\n".join(written.decode(errors="replace").splitlines()[-lines:])


def _rotate_log(directory: TargetDirectory) -> None:
    log = directory.service_log
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
