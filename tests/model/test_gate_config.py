from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.model.base import Json
from engine.model.gate_config import ApprovalConfig, ApprovalInputs

GROUPS = {"leads": ("bob", "carol"), "ops": ("carol", "dave")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "names nobody who may approve; give groups or users"),
        ({"groups": ["leads"], "required": 3}, "requires 3 approvals, but its groups and users"),
        ({"groups": ["lead"]}, "no group is called lead; known groups: leads, ops"),
        ({"quorums": [{"groups": ["lead"]}]}, "no group is called lead"),
        ({"quorums": [{}]}, "names nobody who may approve"),
        ({"quorums": [{"users": ["a"], "required": 2}]}, "requires 2 approvals, but"),
        (
            {"quorums": [{"groups": ["leads"]}], "users": ["bob"]},
            "has both quorums and users; give one of them",
        ),
        (
            {"quorums": [{"groups": ["leads"], "required": 2}, {"users": ["bob"]}]},
            "its quorums require 3 different people in all, but only 2 places can be filled",
        ),
        ({"users": ["bob"], "remind": ["72h"]}, "a reminder comes only after the timeout"),
        ({"users": ["bob"], "remind_every": "80h"}, "a reminder comes only after the timeout"),
        (
            {"users": ["bob"], "remind_by": [{"url": "https://chat.example/x"}]},
            "remind_by says where to send reminders, but there are none; add remind",
        ),
        ({"users": ["bob"], "signed": "yes"}, "Input should be a valid boolean"),
    ],
)
def test_what_cannot_be_met_or_means_nothing_is_refused(given: dict[str, Json], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ApprovalConfig.model_validate(given, context={"groups": GROUPS})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "url", ["ftp://chat.example", "https:chat", "https://bob@chat.example/", "https:///x", "chat"]
)
def test_a_webhook_needs_a_url_or_a_reference(url: str) -> None:
    given: dict[str, Json] = {"users": ["bob"], "remind": ["1h"], "remind_by": [{"url": url}]}
    with pytest.raises(ValidationError):
        ApprovalConfig.model_validate(given)


@pytest.mark.parametrize(
    "url", ["https://chat.example/x?y=z", "http://127.0.0.1:1/", "env:CHAT", "file:/run/chat"]
)
def test_a_webhooks_url_may_be_a_secret(url: str) -> None:
    given: dict[str, Json] = {
        "users": ["bob"],
        "remind": ["1h"],
        "remind_by": [{"url": url, "signed_with": "env:KEY"}],
    }
    (webhook,) = ApprovalConfig.model_validate(given).remind_by
    assert webhook.url == url


def test_quorums_that_one_person_belongs_to_need_others_beside() -> None:
    quorums: Json = [{"groups": ["leads"]}, {"groups": ["ops"], "required": 2}]
    config = ApprovalConfig.model_validate({"quorums": quorums}, context={"groups": GROUPS})
    assert config.people(GROUPS) == ("bob", "carol", "dave")


def test_a_step_may_leave_all_of_it_to_the_environment() -> None:
    assert ApprovalInputs.model_validate({}).people(GROUPS) == ()
    with pytest.raises(ValidationError, match="names nobody"):
        ApprovalInputs.model_validate({"timeout": "1h"})
