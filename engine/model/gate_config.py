"""The configurations that a gate and a template's node have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Self, cast

from pydantic import Field, StrictBool, ValidationInfo, field_validator, model_validator

from engine.model.base import Document, Duration, Name

Groups = Mapping[str, Sequence[str]]
"""People by group."""

Limit = Annotated[int, Field(strict=True, ge=0)] | None
"""How many findings are allowed; None for any number."""

LONGEST_WAIT = timedelta(days=365)
"""The longest that a configured wait may last."""


class SecurityConfig(Document):
    """Limits on the vulnerabilities that a release's scan reports name.

    Attributes:
        max_critical, max_high, max_medium, max_low: findings allowed over all components.
        require_report: whether a component without a scan report is denied.
    """

    max_critical: Limit = 0
    max_high: Limit = None
    max_medium: Limit = None
    max_low: Limit = None
    require_report: StrictBool = True


class ApprovalConfig(Document):
    """Who has to agree.

    Validated with `context={"groups": …}` the groups must exist and have people enough; without
    that context they are taken on trust.

    Attributes:
        required: how many different people have to approve.
        groups: names of the environment's groups whose members may vote.
        users: people who may vote besides.
        timeout: how long to wait for them.
        allow_requester: whether the person who asked for the promotion may approve it.
    """

    required: Annotated[int, Field(strict=True, ge=1)] = 1
    groups: tuple[Name, ...] = ()
    users: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    timeout: Duration = Field(default=timedelta(hours=72), gt=timedelta(0), le=LONGEST_WAIT)
    allow_requester: StrictBool = False

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
