"""Our own settings. Temporal's are read by `temporalio.envconfig`, OpenTelemetry's by its SDK."""

from __future__ import annotations

import os
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from engine.errors import InputError
from engine.model.base import Duration

TASK_QUEUE = "promotions"
"""The task queue of the promotion workflows; agents have `agent.<id>` each."""


class LogFormat(StrEnum):
    """How log lines are written: for people, or for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _directories(value: object) -> object:
    return value.split(os.pathsep) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Settings from environment variables that start with `PROMOTE_`.

    Attributes:
        home: PROMOTE_HOME, the directory of all local state; made on first use.
        database_url: PROMOTE_DATABASE_URL, an SQLAlchemy URL; SQLite in `home` by default.
        otel_config: PROMOTE_OTEL_CONFIG, the OpenTelemetry configuration file; by default
            `otel-config.yaml` in the working directory, where there is one.
        signing_key: PROMOTE_SIGNING_KEY, a PEM file with the private key that signs evidence, which
            must exist; by default one in `home`, made on first use.
        log_format: PROMOTE_LOG_FORMAT, `console` or `json`; by default the one on a terminal, the
            other elsewhere.
        log_level: PROMOTE_LOG_LEVEL, `debug`, `info`, `warning` or `error`.
        dora_window: PROMOTE_DORA_WINDOW, the time over which the exported DORA figures are taken,
            such as 168h; 30 days by default.
        plugins: PROMOTE_PLUGINS, directories of executable plugins, with `:` between them as in
            PATH; none by default.
        commands: PROMOTE_COMMANDS, `allow` or `deny`: whether gates and steps of the type
            `command`, which whoever applies files writes, may run programs on this worker.
    """

    model_config = SettingsConfigDict(env_prefix="PROMOTE_", env_ignore_empty=True, frozen=True)

    home: Path = Field(default=Path(".promote"))
    database_url: str = ""
    signing_key: Path | None = None
    otel_config: Path | None = None
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] | None = None
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] = LogLevel.INFO
    dora_window: Annotated[Duration, Field(gt=timedelta())] = timedelta(days=30)
    plugins: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_directories)] = ()
    commands: Annotated[Literal["allow", "deny"], BeforeValidator(_lower)] = "allow"

    @property
    def effective_database_url(self) -> str:
        """The database's URL, with the default filled in."""
        if self.database_url:
            return self.database_url
        return f"sqlite:///{self.home.absolute() / 'promote.db'}"

    @property
    def effective_otel_config(self) -> Path | None:
        """The OpenTelemetry configuration file; None when there is none."""
        default = Path("otel-config.yaml")
        return self.otel_config or (default if default.exists() else None)

    @property
    def effective_signing_key(self) -> Path:
        """The signing key's path, with the default filled in."""
        return self.signing_key or self.home.absolute() / "keys" / "signing.pem"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        InputError: a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = "PROMOTE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InputError(field, first["msg"], f"was {os.environ.get(field, '')!r}") from error
