"""The node type `notify`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.actions.http import HeaderName, HeaderValue, HttpRequest, call
from engine.actions.mail import MAX_TEXT, Address, Mail, MailServer, send
from engine.actions.references import SecretRef
from engine.actions.urls import UrlGiven, shown
from engine.errors import StepError
from engine.model.base import Document, Json
from engine.plugins.messages import NotifyParams, NotifyReply, PromotionFacts
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.use import PluginUse
from engine.plugins.use import call as call_plugin
from engine.templates.protocol import StepReport, StepServices, StepWork


class Webhook(Document):
    """An URL that takes a message as a JSON object: `type`, `subject`, `text`, `promotion`.

    Attributes:
        url: a reference where the URL itself is a secret.
        sign_with: the key with which the request is signed by Standard Webhooks
            (https://www.standardwebhooks.com).
    """

    url: UrlGiven
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, max_length=50)
    sign_with: SecretRef | None = None


class Slack(Document):
    """An incoming webhook of Slack, or of anything that takes the same `text`: Mattermost, Teams.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

    Attributes:
        url: it is a secret, since whoever has it can write; give a reference.
    """

    url: UrlGiven


class Email(MailServer):
    """A mail.

    Attributes:
        sender: the address that it comes from.
        to: the addresses that it goes to.
    """

    sender: Address
    to: tuple[Address, ...] = Field(min_length=1, max_length=100)


class NotifyInputs(Document):
    """What a notify step takes: where the message goes, exactly one of them, and the message.

    Attributes:
        plugin: a plugin that offers a notifier.
        subject: the message in a line; the release and where it goes when left out.
        text: the message; who asked for the promotion and why when left out. Slack reads it as its
            own markup.
    """

    webhook: Webhook | None = None
    slack: Slack | None = None
    email: Email | None = None
    plugin: PluginUse | None = None
    subject: str = Field(default="", max_length=500)
    text: str = Field(default="", max_length=MAX_TEXT)

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        channels = [name for name in _CHANNELS if getattr(self, name) is not None]
        if len(channels) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_CHANNELS)}")
        return self


_CHANNELS = ("webhook", "slack", "email", "plugin")
MESSAGE_TYPE = "promotion.notification"


class Notify:
    """Tells people or programs. A message that is not taken fails the step.

    Who receives one twice can tell by its `Idempotency-Key`, `webhook-id` or `Message-ID`.
    """

    inputs: ClassVar[type[Document]] = NotifyInputs
    type: ClassVar[str] = "notify"

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Send the message."""
        inputs = NotifyInputs.model_validate(work.inputs)
        subject, text = _message(inputs, work)
        if inputs.plugin is not None:
            return await _tell(inputs.plugin, subject, text, work, services)
        if inputs.email is not None:
            return await _mail(inputs.email, subject, text, work, services)
        if inputs.slack is not None:
            said: dict[str, Json] = {"text": f"*{subject}*\n{text}"}
            request = HttpRequest(method="POST", url=inputs.slack.url, body=said)
            return await _post(request, None, work, services)
        if inputs.webhook is None:
            raise StepError(f"has none of {', '.join(_CHANNELS)} to go to")
        request = HttpRequest(
            method="POST",
            url=inputs.webhook.url,
            headers=inputs.webhook.headers,
            body={
                "type": MESSAGE_TYPE,
                "subject": subject,
                "text": text,
                "promotion": PromotionFacts.of(work.promotion).model_dump(mode="json"),
            },
        )
        key = inputs.webhook.sign_with
        return await _post(request, None if key is None else key.secret, work, services)


def _message(inputs: NotifyInputs, work: StepWork) -> tuple[str, str]:
    promotion = work.promotion
    subject = inputs.subject or f"{promotion.release.ref} to {promotion.environment.name}"
    if inputs.text:
        return subject, inputs.text
    why = f": {promotion.reason}" if promotion.reason else ""
    text = f"Requested by {promotion.requested_by}{why}\nPromotion {promotion.promotion_id}"
    return subject, text


async def _tell(
    use: PluginUse, subject: str, text: str, work: StepWork, services: StepServices
) -> StepReport:
    facts = PromotionFacts.of(work.promotion)
    reply, answered = await call_plugin(
        use,
        OfferKind.NOTIFIER,
        Method.NOTIFY,
        NotifyParams(subject=subject, text=text, promotion=facts),
        NotifyReply,
        key=work.idempotency_key,
        resolve_secret=services.secret,
        calls=services.calls,
    )
    told = f": {reply.detail}" if reply.detail else ""
    return StepReport(detail=f"plugin {answered.plugin} took the message{told}")


async def _post(
    request: HttpRequest, sign_with: str | None, work: StepWork, services: StepServices
) -> StepReport:
    answer = await call(
        request,
        resolve_secret=services.secret,
        sign_with=sign_with,
        idempotency_key=work.idempotency_key,
        heartbeat=services.heartbeat,
    )
    where = shown(request.url) if isinstance(request.url, str) else "the URL"
    if answer.status // 100 != _SUCCESS:
        raise StepError(f"{where} answered {answer.status}, and has not taken the message")
    return StepReport(detail=f"{where} took the message", outputs={"status": answer.status})


_SUCCESS = 2


async def _mail(
    email: Email, subject: str, text: str, work: StepWork, services: StepServices
) -> StepReport:
    mail = Mail(
        sender=email.sender,
        to=email.to,
        subject=subject,
        text=text,
        message_id=f"{work.idempotency_key}@{email.sender.partition('@')[2]}",
    )
    refused = await send(mail, email, resolve_secret=services.secret, heartbeat=services.heartbeat)
    if refused:
        raise StepError(f"the mail server refuses {', '.join(refused)}, and took it for the others")
    return StepReport(
        detail=f"mailed to {', '.join(email.to)}", outputs={"recipients": list(email.to)}
    )
