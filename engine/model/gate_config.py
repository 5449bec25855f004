"""The configurations that a gate and a template's node have in common."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Self, cast
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, ValidationInfo, field_validator, model_validator

from engine.model.base import Document, Duration, Name
from engine.model.quorum import Seats, count

Groups = Mapping[str, Sequence[str]]
"""People by group."""

LONGEST_WAIT = timedelta(days=365)
"""The longest that a configured wait may last."""

Reminder = Annotated[Duration, Field(ge=timedelta(seconds=1))]
"""After how long somebody is reminded."""


class Quorum(Document):
    """How many of whom.

    Attributes:
        required: how many different people have to approve.
        groups: names of the environment's groups whose members may vote.
        users: people who may vote besides.
    """

    required: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    groups: tuple[Name, ...] = ()
    users: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    def people(self, groups: Groups) -> tuple[str, ...]:
        """Everybody who may vote, sorted; a group that does not exist has no members."""
        members = {member for name in self.groups for member in groups.get(name, ())}
        return tuple(sorted(members | set(self.users)))

    @field_validator("groups")
    @classmethod
    def _groups_exist(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        groups = _known_groups(info)
        unknown = [name for name in names if groups is not None and name not in groups]
        if groups is not None and unknown:
            known = ", ".join(sorted(groups)) or "none"
            raise ValueError(f"no group is called {', '.join(unknown)}; known groups: {known}")
        return names

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        self._check_that_it_can_be_met(_known_groups(info))
        return self

    def _check_that_it_can_be_met(self, groups: Groups | None) -> None:
        if not self.groups and not self.users:
            raise ValueError("names nobody who may approve; give groups or users")
        if groups is not None and len(self.people(groups)) < self.required:
            raise ValueError(
                f"requires {self.required} approvals, but its groups and users name "
                f"{len(self.people(groups))} people; name more, or lower required"
            )


class Webhook(Document):
    """Where something is told, as JSON by POST.

    Attributes:
        url: the URL, or a reference (`env:NAME`, `file:PATH`) where the URL is itself a secret.
        signed_with: a reference to the key with which the request is signed; unsigned without.
    """

    url: str
    signed_with: str | None = None

    @field_validator("url")
    @classmethod
    def _is_url_or_reference(cls, url: str) -> str:
        if url.startswith(("http://", "https://")):
            parts = urlsplit(url)
            if not parts.hostname or "@" in parts.netloc:
                raise ValueError("names no host, or a user; write https://HOST/PATH")
            return url
        return _reference(url)

    @field_validator("signed_with")
    @classmethod
    def _is_reference(cls, reference: str | None) -> str | None:
        return None if reference is None else _reference(reference)


class ApprovalConfig(Quorum):
    """Who has to agree: one quorum written here, or several under `quorums`.

    Validated with `context={"groups": …}` the groups must exist and have people enough; without
    that context they are taken on trust.

    Attributes:
        quorums: several quorums, all of which have to be met by different people: a vote fills
            one place in one of them, the one where it helps most.
        timeout: how long to wait for them.
        allow_requester: whether the person who asked for the promotion may approve it.
        allow_committers: whether people who the release says have changed it may approve it. When
            they may not, a release that names none is denied.
        signed: whether only votes count that their voter has signed with a registered key.
        remind: how long after the request reminders are given.
        remind_every: the time between further reminders, counted from the last of `remind`.
        remind_by: where reminders are sent, beside the log.
    """

    quorums: Annotated[tuple[Quorum, ...], Field(max_length=20)] = ()
    timeout: Duration = Field(default=timedelta(hours=72), gt=timedelta(0), le=LONGEST_WAIT)
    allow_requester: StrictBool = False
    allow_committers: StrictBool = True
    signed: StrictBool = False
    remind: Annotated[tuple[Reminder, ...], Field(max_length=50)] = ()
    remind_every: Reminder | None = None
    remind_by: Annotated[tuple[Webhook, ...], Field(max_length=10)] = ()

    @property
    def all_quorums(self) -> tuple[Quorum, ...]:
        """The quorums, in the order in which they are written."""
        return self.quorums or (self,)

    def people(self, groups: Groups) -> tuple[str, ...]:
        """Everybody who may vote in any quorum, sorted."""
        if not self.quorums:
            return super().people(groups)
        return tuple(sorted({one for quorum in self.quorums for one in quorum.people(groups)}))

    def seats(self, groups: Groups, besides: Collection[str] = ()) -> Seats:
        """The quorums as `engine.model.quorum` counts them, without the people in `besides`."""
        return tuple(
            (frozenset(quorum.people(groups)).difference(besides), quorum.required)
            for quorum in self.all_quorums
        )

    @model_validator(mode="after")
    def _reminders_come_in_time(self) -> Self:
        late = [each for each in (*self.remind, self.remind_every) if each and each >= self.timeout]
        if late:
            raise ValueError("a reminder comes only after the timeout; shorten it, or leave it out")
        if self.remind_by and not self.remind and self.remind_every is None:
            raise ValueError(
                "remind_by says where to send reminders, but there are none; add remind"
            )
        return self

    def _check_that_it_can_be_met(self, groups: Groups | None) -> None:
        if not self.quorums:
            super()._check_that_it_can_be_met(groups)
            return
        beside = self.model_fields_set & {"required", "groups", "users"}
        if beside:
            raise ValueError(f"has both quorums and {', '.join(sorted(beside))}; give one of them")
        if groups is None:
            return
        needed = sum(quorum.required for quorum in self.quorums)
        possible = count(self.seats(groups), self.people(groups)).total
        if possible < needed:
            raise ValueError(
                f"its quorums require {needed} different people in all, but only {possible} places "
                "can be filled, since each person fills one; name more people, or lower required"
            )


class ApprovalInputs(ApprovalConfig):
    """An approval step's inputs: an approval of its own, or nothing at all.

    Nothing means that the approvals which the environment's gates required still hold.
    """

    def _check_that_it_can_be_met(self, groups: Groups | None) -> None:
        if self.model_fields_set:
            super()._check_that_it_can_be_met(groups)


def _known_groups(info: ValidationInfo) -> Groups | None:
    context = cast("Mapping[str, Groups] | None", info.context)
    return None if context is None else context.get("groups")


def _reference(text: str) -> str:
    if not re.fullmatch(r"(?!https?:)[a-z][a-z0-9+.-]*:[^\s/]\S*|file:/\S+", text):
        raise ValueError("is neither a URL nor a reference; write https://…, env:NAME or file:PATH")
    return text
