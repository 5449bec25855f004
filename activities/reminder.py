"""The activity that sends a reminder of an approval."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity

from activities.plugin_calls import current_calls
from engine.actions.http import HttpRequest, call
from engine.actions.references import SecretRef
from engine.errors import CallError
from engine.model.base import Json, Timestamp, Value
from engine.model.gate_config import Webhook
from engine.model.plugin_call import PluginCall
from engine.plugins.secrets import resolve

_WITHIN = timedelta(seconds=10)
_SUCCESS = range(200, 300)


class ApprovalReminder(Value):
    """One reminder to one receiver.

    Attributes:
        key: tells it from all others, for a receiver that is told of it twice.
        number: 1 is the first.
        what: the release and where it is to go.
        waiting_for: what is missing, in words for a person.
        who: the people who can act.
        until: when the approval expires.
    """

    key: str
    number: int
    promotion_id: str
    what: str
    gate: str
    waiting_for: str
    who: tuple[str, ...]
    until: Timestamp | None
    receiver: Webhook


class ReminderSent(Value):
    """A reminder was taken.

    Attributes:
        plugin_calls: those that were made to resolve its secrets.
    """

    plugin_calls: tuple[PluginCall, ...] = ()


@activity.defn(name="approval.remind")
async def send_reminder(reminder: ApprovalReminder) -> ReminderSent:
    """Tell one receiver that an approval is waited for.

    Raises:
        CallError: it did not take it; retryable unless it answered that it never will.
        InputError: its URL or the key for the signature cannot be used.
    """
    receiver, calls = reminder.receiver, current_calls()
    is_open = receiver.url.startswith(("http://", "https://"))
    answer = await call(
        HttpRequest(
            method="POST",
            url=receiver.url if is_open else SecretRef(secret=receiver.url),
            body=_body(reminder),
            timeout=_WITHIN,
        ),
        resolve_secret=lambda reference: resolve(reference, calls),
        sign_with=receiver.signed_with,
        idempotency_key=reminder.key,
    )
    if answer.status not in _SUCCESS:
        raise CallError(f"the receiver of reminders answered {answer.status}", retryable=False)
    return ReminderSent()


def _body(reminder: ApprovalReminder) -> dict[str, Json]:
    people = ", ".join(reminder.who)
    body = reminder.model_dump(mode="json", exclude={"receiver", "key"})
    # The field that chat systems show (https://api.slack.com/messaging/webhooks).
    return {
        "text": f"{reminder.what} waits for an approval by {people}: {reminder.waiting_for}",
        **body,
    }
