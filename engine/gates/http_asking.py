"""One asking of the gate `http`: what it knows from before, what it hears, what that comes to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid5

import durationpy
from pydantic import Field

from engine.actions import http
from engine.actions.http import HttpAnswer, HttpRequest
from engine.actions.urls import shown
from engine.errors import GateError
from engine.gates.http_config import SHORTEST_POLL, HttpConfig
from engine.gates.outside import Answer, answer_of, asking, in_utc, last_word, question
from engine.gates.protocol import Callback, GateContext, GateServices
from engine.gates.words import first_line, in_one_line
from engine.model.base import Json, Timestamp, Value
from engine.model.canonical import canonical_json, digest_of_bytes
from engine.model.verdict import AttributeValue, Defer, Deny, Verdict

MOST_QUESTIONS = 2000
"""Of one gate of one promotion: each of them adds to the workflow's history."""

_ACCEPTED = 202


class Memory(Value):
    """What the gate knows between two askings.

    Attributes:
        token: what a callback has to name; empty without callbacks.
        questions: how often the service was asked.
        ask_at: when to ask it again; None when it promised a callback, or was not asked yet.
        reason: of its latest answer that deferred.
        answer: that answer, for the record.
    """

    token: str = ""
    questions: int = 0
    ask_at: Timestamp | None = None
    reason: str = ""
    answer: dict[str, Json] = Field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One asking of the gate."""

    config: HttpConfig
    context: GateContext
    memory: Memory

    @property
    def deadline(self) -> datetime:
        """When the gate denies for want of a verdict."""
        return self.context.opened_at + self.config.timeout

    @property
    def where(self) -> str:
        """The URL, for people."""
        url = self.config.url
        return shown(url) if isinstance(url, str) else f"the URL of {url.secret}"

    async def verdict(self, services: GateServices) -> Verdict:
        """What has been heard by now, or is heard when the service is asked.

        Raises:
            GateError: the service does not answer, or answers something else than a verdict.
        """
        memory, now = self.memory, self.context.now
        callback, told = _heard(memory.token, self.context.callbacks)
        if callback is not None:
            return self.decided_by(callback)
        if now >= self.deadline:
            reason = f"no verdict within {durationpy.to_str(self.config.timeout)}"
            said = told or memory.reason
            return self._complete(Deny(reason=f"{reason}; it said: {said}" if said else reason))
        if memory.questions and (memory.ask_at is None or now < memory.ask_at):
            return self.deferred(until=memory.ask_at, told=told)
        if memory.questions >= MOST_QUESTIONS:
            raise GateError(f"{self.where} has deferred {MOST_QUESTIONS} times")
        number = memory.questions + 1
        answer = await self._ask(number, services)
        memory = memory.model_copy(
            update={"questions": number, "ask_at": None, "answer": _record(answer, now)}
        )
        return replace(self, memory=memory).decided(answer)

    async def _ask(self, number: int, services: GateServices) -> HttpAnswer:
        config, context = self.config, self.context
        key = uuid5(context.promotion.promotion_id, f"gate/{context.gate.name}/{number}")
        request = HttpRequest(
            method=config.method,
            url=config.url,
            headers=config.headers,
            body=None if config.method == "GET" else self._body(),
            timeout=config.request_timeout,
        )
        with asking("cannot ask"):
            return await http.call(
                request,
                resolve_secret=services.secret,
                sign_with=None if config.sign_with is None else config.sign_with.secret,
                idempotency_key=str(key),
                heartbeat=services.heartbeat,
            )

    def _body(self) -> dict[str, Json]:
        asked = question(self.context)
        if self.config.callback:
            asked["callback"] = {
                "workflow_id": self.context.promotion.workflow_id,
                "update": "gate_callback",
                "gate": self.context.gate.name,
                "token": self.memory.token,
                "until": in_utc(self.deadline),
            }
        return asked

    def decided(self, answer: HttpAnswer) -> Verdict:
        """What the service's answer comes to."""
        config, now = self.config, self.context.now
        if config.callback and answer.status == _ACCEPTED:
            said = _said(answer) or f"{self.where} has it under way"
            return self._with(reason=said).deferred(until=None)
        given = self._read(answer)
        final = last_word(given, otherwise=f"{self.where} answered {answer.status}")
        if final is not None:
            return self._complete(final.model_copy(update={"inputs": {"answer": answer.digest}}))
        if given.until is not None and given.until >= now + SHORTEST_POLL:
            ask_at: datetime | None = given.until
        else:
            ask_at = None if config.callback else now + config.poll
        return self._with(reason=given.reason, ask_at=ask_at).deferred(until=ask_at)

    def decided_by(self, callback: Callback) -> Verdict:
        """What a callback comes to, which does not defer."""
        final = last_word(answer_of(callback.body), otherwise="decided by callback")
        if final is None:
            raise GateError("a callback that defers is no last word")
        digest = digest_of_bytes(canonical_json(callback.body))
        return self._complete(final.model_copy(update={"inputs": {"callback": digest}}))

    def deferred(self, until: datetime | None, told: str = "") -> Verdict:
        """Wait; `told` is what people hear instead of what the service said last."""
        reason = told or self.memory.reason or f"{self.where} has not decided yet"
        if self.memory.questions == 0:
            reason = f"about to ask {self.where}"
        return self._complete(
            Defer(
                reason=reason,
                until=self.deadline if until is None else min(until, self.deadline),
                callback_token=self.memory.token,
                memory=self.memory.model_dump(mode="json"),
            )
        )

    def _read(self, answer: HttpAnswer) -> Answer:
        is_good = answer.status // 100 == 2
        if self.config.verdict == "status":
            if not is_good and answer.status // 100 != 4:
                raise GateError(f"{self.where} answered {answer.status}, which is no verdict")
            return Answer(verdict="allow" if is_good else "deny", reason=_said(answer))
        if not is_good:
            said = _said(answer)
            told = f"{self.where} answered {answer.status}"
            raise GateError(f"{told}: {said}" if said else told)
        try:
            return answer_of(answer.json())
        except ValueError as error:
            raise GateError(f"{self.where} gave no verdict: {error}") from error

    def _with(self, **changes: object) -> Asked:
        return replace(self, memory=self.memory.model_copy(update=changes))

    def _complete(self, verdict: Verdict) -> Verdict:
        """The verdict with the figures and the record of the asking."""
        status = self.memory.answer.get("status")
        attributes: dict[str, AttributeValue] = {
            "http.request.method": self.config.method,
            "http.gate.questions": self.memory.questions,
            "http.gate.wait_seconds": (self.context.now - self.context.opened_at).total_seconds(),
        }
        if isinstance(self.config.url, str):
            attributes["url.full"] = self.where
        if isinstance(status, int):
            attributes["http.response.status_code"] = status
        evidence = {"answer": self.memory.answer} if self.memory.answer else {}
        return verdict.model_copy(update={"attributes": attributes, "evidence": evidence})


def _heard(token: str, callbacks: tuple[Callback, ...]) -> tuple[Callback | None, str]:
    """The latest callback with a last word, and what the latest one without tells people."""
    told = ""
    for callback in reversed(callbacks):
        if not secrets.compare_digest(callback.token.encode(), token.encode()):
            continue
        try:
            answer = answer_of(callback.body)
        except ValueError as error:
            told = told or f"a callback could not be read ({error}); send another"
            continue
        if answer.verdict != "defer":
            return callback, told
        told = told or answer.reason
    return None, told


def _record(answer: HttpAnswer, at: datetime) -> dict[str, Json]:
    return {
        "status": answer.status,
        "digest": answer.digest,
        "seconds": round(answer.seconds, 6),
        "at": in_utc(at),
    }


def _said(answer: HttpAnswer) -> str:
    """What an answer tells people: the `reason` of a JSON object, or its first line."""
    try:
        data = answer.json()
    except ValueError:
        return first_line(answer.text)
    reason = data.get("reason") if isinstance(data, dict) else None
    return in_one_line(reason) if isinstance(reason, str) else ""
