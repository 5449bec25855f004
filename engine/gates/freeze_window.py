"""The gate `freeze_window`: nothing is promoted within its windows and freezes set by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self
from uuid import UUID, uuid5

from pydantic import Field, model_validator

from engine.errors import GateError
from engine.gates.calendars.source import CalendarSource
from engine.gates.configuration import applied
from engine.gates.freezes import free_from, in_force, keeper
from engine.gates.protocol import GateContext, GateServices
from engine.gates.windows import MOST_WINDOWS, FreezeWindow, longest
from engine.model.base import Document, Json
from engine.model.environment import Gate
from engine.model.freeze import Freeze, OnClose
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict

FIRST_LOOK, LONGEST_LOOK = timedelta(minutes=1), timedelta(hours=1)
"""How soon, and at most how late, it is looked again whether a freeze was lifted unheard."""


class FreezeWindowConfig(Document):
    """The windows of one gate. Without any it holds for freezes that are set by hand only.

    Attributes:
        calendars: calendars whose events are windows too; read when the file is applied.
        on_freeze: whether a promotion within a window is denied, or waits until it ends.
        on_close: what a deployment does that is under way when a window begins.
    """

    windows: tuple[FreezeWindow, ...] = Field(default=(), max_length=MOST_WINDOWS)
    calendars: tuple[CalendarSource, ...] = Field(default=(), max_length=20)
    on_freeze: Literal["deny", "wait"] = "deny"
    on_close: OnClose = OnClose.PAUSE

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [window.name for window in self.windows]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one window is called {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.on_close is OnClose.ROLLBACK:
            raise ValueError(
                "on_close: rollback is not available yet; write pause, finish or abort"
            )
        return self


def window_id(environment: UUID, name: str) -> UUID:
    """The id of the freeze window called `name` of an environment."""
    return uuid5(environment, f"freeze/{name}")


def configured(gate: Gate) -> FreezeWindowConfig:
    """The configuration of a gate of this type that was applied.

    Raises:
        GateError: it cannot be used.
    """
    config = applied(gate, FreezeWindowConfig)
    if config.calendars:
        raise GateError(
            "its calendars were not read when it was applied; apply the environment file again"
        )
    return config


class FreezeWindowGate:
    """Denies, or waits, while one of its windows is in force, or a freeze that was set by hand.

    Of an environment's gates of this type only one looks at the freezes by hand; see
    `engine.gates.freezes.keeper`.
    """

    config: ClassVar[type[Document]] = FreezeWindowConfig
    type: ClassVar[str] = "freeze_window"
    holds_for_rollbacks: ClassVar[bool] = False

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until nothing is in force.

        When the line is stopped, what is requested afterwards is denied, and what was requested
        before waits until the line is free again.

        Raises:
            GateError: the configuration cannot be used.
        """
        config = configured(context.gate)
        environment = context.promotion.environment
        by_hand: tuple[Freeze, ...] = ()
        if keeper(environment).name == context.gate.name:
            by_hand = await services.freezes()
        holding = in_force(by_hand, environment.name, context.now)
        stopped = next((each for each in holding if each.stops_the_line), None)
        if stopped is not None:
            return _stopped(stopped, context)
        return _frozen(config, by_hand, context)


def _stopped(stop: Freeze, context: GateContext) -> Verdict:
    attributes, evidence = _about(stop), {"freeze": _record(stop)}
    if context.promotion.requested_at >= stop.start:
        reason = f"{stop.text}; ask again when it is lifted"
        return Deny(reason=reason, attributes=attributes, evidence=evidence)
    return Defer(
        reason=f"{stop.text}; goes on when it is lifted",
        until=stop.end,
        recheck_at=_recheck(context),
        memory=_memory(context),
        attributes=attributes,
        evidence=evidence,
    )


def _frozen(
    config: FreezeWindowConfig, by_hand: tuple[Freeze, ...], context: GateContext
) -> Verdict:
    environment, now = context.promotion.environment, context.now
    window = longest(config.windows, now)
    freeze = next(iter(in_force(by_hand, environment.name, now)), None)
    evidence: dict[str, Json] = {}
    if freeze is not None:
        attributes, evidence, what = _about(freeze), {"freeze": _record(freeze)}, freeze.text
    elif window is not None:
        name = window.window.name
        attributes = _named(window_id(environment.id, name), name)
        what = f"freeze window {name!r} is in force"
    else:
        return Allow(reason="no freeze window is in force")
    until = free_from(config.windows, by_hand, environment.name, now)
    zone = None if window is None else window.window.timezone
    shown = "when it is lifted"
    if until is not None and freeze is None and window is not None:
        shown = f"{until.astimezone(window.window.zone):%Y-%m-%d %H:%M} {zone}"
    elif until is not None:
        shown = f"{until:%Y-%m-%d %H:%M} UTC"
    if config.on_freeze == "deny":
        when = f"after {shown}" if until is not None else shown
        reason = f"{what}; ask again {when}"
        return Deny(reason=reason, attributes=attributes, evidence=evidence)
    when = f"at {shown}" if until is not None else shown
    return Defer(
        reason=f"{what}; goes on {when}",
        until=until,
        recheck_at=None if freeze is None else _recheck(context),
        memory={} if freeze is None else _memory(context),
        attributes=attributes,
        evidence=evidence,
    )


def _about(freeze: Freeze) -> dict[str, AttributeValue]:
    return _named(freeze.id, freeze.name)


def _named(id: UUID, name: str) -> dict[str, AttributeValue]:
    return {"freeze_window.id": str(id), "freeze_window.name": name}


def _record(freeze: Freeze) -> Json:
    return freeze.model_dump(
        mode="json",
        include={"id", "name", "reason", "stops_the_line", "start", "end", "created_by"},
    )


def _recheck(context: GateContext) -> datetime:
    return context.now + min(FIRST_LOOK * (1 << min(_asked(context), 10)), LONGEST_LOOK)


def _memory(context: GateContext) -> dict[str, Json]:
    return {"asked": _asked(context) + 1}


def _asked(context: GateContext) -> int:
    asked = context.memory.get("asked", 0)
    return asked if isinstance(asked, int) else 0
