from __future__ import annotations

from pathlib import Path

import pytest

from engine.documents.environment_file import load_environments
from engine.errors import InputError
from tests.approvals.voters import key_of


def key(person: str, owner: str = "") -> str:
    pem = key_of(owner or person).public_pem.replace("\n", "\n        ")
    return f"  {person}:\n    - public_key: |\n        {pem}\n"


def file(tmp_path: Path, keys: str, config: str, more: str = "", delegations: str = "[]") -> Path:
    path = tmp_path / "environments.yaml"
    path.write_text(
        f"groups: {{leads: [bob, carol]}}\nkeys:\n{keys}delegations: {delegations}\n"
        "environments:\n  - name: production\n    targets: [{name: t1, agent: a1}]\n"
        f"    gates:\n      - type: approval\n        config: {{groups: [leads], {config}}}\n{more}"
    )
    return path


def test_keys_and_delegations_are_part_of_what_votes_are_bound_to(tmp_path: Path) -> None:
    def policy(delegations: str, person: str) -> str:
        path = file(tmp_path, key("bob") + key("carol", person), "signed: true", "", delegations)
        (definition,) = load_environments(path)
        return definition.environment.policy_digest

    given = "[{from: bob, to: erin, until: 2030-01-01T00:00:00Z}]"
    assert len({policy("[]", "carol"), policy(given, "carol"), policy("[]", "dave")}) == 3


@pytest.mark.parametrize(
    ("keys", "config", "more", "said"),
    [
        (
            key("bob") + key("carol", "bob"),
            "required: 1",
            "",
            "keys.carol[0].public_key: is the key of 'bob' as well, who could vote twice with it; "
            "give each person a key of their own",
        ),
        (
            key("bob"),
            "required: 2, signed: true",
            "",
            "config.signed: 2 signed approvals are required, but only 1 of the people who may give "
            "them (bob) have a key; register more under `keys`",
        ),
        (
            key("bob"),
            "signed: true",
            "        override: {users: [bob]}\n",
            "override: passes over signed approvals by a word that nobody signs",
        ),
        (
            key("bob"),
            "signed: true",
            "        on_error: allow\n",
            "on_error: lets a release go without the signatures when the gate breaks",
        ),
    ],
)
def test_what_would_undo_the_signatures_is_refused_where_it_stands(
    tmp_path: Path, keys: str, config: str, more: str, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        load_environments(file(tmp_path, keys, config, more))
    assert said in str(refused.value)
    assert "environments.yaml:" in str(refused.value)


def test_a_delegate_with_a_key_stands_in_for_somebody_without(tmp_path: Path) -> None:
    given = "[{from: carol, to: erin, until: 2030-01-01T00:00:00Z}]"
    config = "required: 2, signed: true"
    assert load_environments(file(tmp_path, key("bob") + key("erin"), config, "", given))
