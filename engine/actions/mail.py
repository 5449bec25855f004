"""Sending a mail by SMTP: bounded in time, encrypted unless told otherwise.

https://www.rfc-editor.org/rfc/rfc5321, https://www.rfc-editor.org/rfc/rfc8314
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Annotated, Literal, Self

import aiosmtplib
from pydantic import Field, StringConstraints, model_validator

from engine.actions.heartbeat import beating
from engine.actions.references import Known, ResolveSecret, SecretRef
from engine.errors import CallError, InputError
from engine.model.base import Document, Duration

MAX_TEXT = 64 * 1024
"""Characters of the longest mail."""

Address = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s@<>,;:\"\\()\[\]]+@[^\s@<>,;:\"\\()\[\]]+$", max_length=254),
]
"""`local@domain`, without a name."""

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class MailServer(Document):
    """Where mail is handed in.

    Attributes:
        port: by `security` when left out: 587, 465 or 25.
        security: `starttls` encrypts before anything else is said, `tls` from the first byte;
            `none` is for a server on the same machine, and takes no password.
        username: for logging in, with `password`.
        timeout: for the whole delivery.
    """

    host: str = Field(min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65535, strict=True)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretRef | None = None
    timeout: Duration = Field(
        default=timedelta(seconds=30), gt=timedelta(0), le=timedelta(minutes=10)
    )

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent in the clear; set security to starttls or tls")
        return self


class Mail(Document):
    """A text to people.

    Attributes:
        sender: the address that it comes from.
        message_id: without the angle brackets; the same for every try of the same mail.
    """

    sender: Address
    to: tuple[Address, ...] = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=500)
    text: str = Field(max_length=MAX_TEXT)
    message_id: str


async def send(
    mail: Mail,
    server: MailServer,
    *,
    resolve_secret: ResolveSecret,
    heartbeat: Callable[[], None] = lambda: None,
) -> tuple[str, ...]:
    """Hand a mail in, once.

    Args:
        resolve_secret: as `GateServices.secret`.
        heartbeat: called every few seconds.

    Returns:
        The addresses that the server refused while it took the mail for others.

    Raises:
        CallError: the server could not be reached, or did not take the mail for anybody.
        InputError: a secret is missing. No message holds a secret.
    """
    known = Known(resolve_secret)
    password = None if server.password is None else await known.value(server.password)
    port = _PORTS[server.security] if server.port is None else server.port
    where = f"the mail server {server.host}:{port}"
    seconds = server.timeout.total_seconds()
    try:
        async with beating(heartbeat), asyncio.timeout(seconds):
            refused, _ = await aiosmtplib.send(
                _message(mail),
                sender=mail.sender,
                recipients=list(mail.to),
                hostname=server.host,
                port=port,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                username=server.username or None,
                password=password,
                timeout=seconds,
            )
    except TimeoutError:
        raise CallError(f"{where} did not take the mail within {seconds:g} s") from None
    except aiosmtplib.SMTPAuthenticationError as error:
        # Its text may repeat what was sent.
        raise CallError(f"{where} refuses the login ({error.code})", retryable=False) from None
    except aiosmtplib.SMTPRecipientsRefused as error:
        told = "; ".join(f"{each.recipient}: {each.code}" for each in error.recipients)
        raise CallError(f"{where} refuses every recipient: {told}", retryable=False) from None
    except aiosmtplib.SMTPResponseException as error:
        lasting = error.code >= _PERMANENT
        told = known.hidden(error.message.encode(errors="replace")).decode(errors="replace")
        first = told.splitlines()[0] if told else ""
        raise CallError(f"{where} answered {error.code} {first}", retryable=not lasting) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise CallError(f"{where} cannot be reached ({type(error).__name__})") from None
    return tuple(sorted(refused))


_PERMANENT = 500


def _message(mail: Mail) -> EmailMessage:
    message = EmailMessage()
    try:
        message["From"] = mail.sender
        message["To"] = ", ".join(mail.to)
        # What an expression put in may hold line ends, which a header cannot.
        message["Subject"] = " ".join(mail.subject.split())
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = f"<{mail.message_id}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
    except (ValueError, UnicodeError) as error:
        raise InputError("email", f"cannot be written as a mail: {error}") from error
    return message
