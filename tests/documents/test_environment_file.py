from __future__ import annotations

import tempfile
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from engine.documents.environment_file import load_environments
from engine.errors import InputError
from engine.gates.configuration import checked
from engine.model.environment import (
    AutoPromotion,
    EnvironmentDefinition,
    Overriders,
    QueuePolicy,
)
from engine.model.gate_config import ApprovalConfig
from engine.model.identity import agent_id, environment_id, target_id, tenant_id
from engine.model.strategy import Rolling
from engine.templates import builtin
from tests.documents.files import ENVIRONMENTS, problem_of, written

PUBLIC_KEY = (
    Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
FULL = f"""\
groups: {{leads: [ann, bob]}}
keys:
  ann:
    - until: 2027-01-01T00:00:00+01:00
      public_key: |
{textwrap.indent(PUBLIC_KEY, "        ")}
delegations: [{{from: ann, to: bob, until: 2026-05-01T00:00:00Z, reason: away}}]
environments:
  - name: first
    targets: [{{name: a, agent: x}}]
  - name: second
    auto: {{after: first, soak: 1h}}
    queue: latest-wins
    template:
      name: own
      parameters: {{replicas: {{type: integer}}}}
      nodes: [{{id: deploy, type: deploy}}]
    parameters: {{replicas: 3}}
    targets: [{{name: a, agent: y}}]
    gates:
      - {{type: security, on_error: allow, on_rollback: ask}}
      - type: approval
        when: gates.security.outcome != 'failed'
        override: {{groups: [leads], users: [zoe]}}
        config: {{groups: [leads]}}
"""


def refused(tmp_path: Path, content: str) -> InputError:
    path = written(tmp_path, content)
    return problem_of(lambda: load_environments(path))


def test_a_file_becomes_definitions_with_derived_ids(tmp_path: Path) -> None:
    staging, production = load_environments(written(tmp_path, ENVIRONMENTS))

    tenant = tenant_id("acme")
    assert staging.tenant == "acme"
    assert staging.environment.tenant_id == tenant
    assert staging.environment.id == environment_id(tenant, "staging")
    assert [target.id for target in staging.targets] == [
        target_id(staging.environment.id, name) for name in ("web-1", "web-2")
    ]
    assert [target.agent_id for target in staging.targets] == [
        agent_id(tenant, name) for name in ("east", "west")
    ]
    assert staging.environment.template == builtin.resolve("standard")
    assert production.environment.order == 1
    assert production.environment.sampling == 0.1
    assert production.environment.strategy == Rolling(batch_size="50%")
    assert production.environment.groups == {"leads": ("ann", "bob")}
    assert production.targets[0].component == "web"
    config = checked(production.environment.gates[1], ApprovalConfig, {"leads": ["ann", "bob"]})
    assert config.timeout == timedelta(hours=72)


def test_reading_twice_gives_the_same_digest(tmp_path: Path) -> None:
    path = written(tmp_path, ENVIRONMENTS)

    first, second = load_environments(path), load_environments(path)

    assert [each.digest for each in first] == [each.digest for each in second]


def test_gates_without_a_name_are_named_after_their_type(tmp_path: Path) -> None:
    approval = "      - {type: approval, config: {groups: [leads]}}\n"
    named = "      - {type: approval, name: approval-2, config: {groups: [leads]}}\n"
    content = ENVIRONMENTS.replace("      - type: security\n", approval + named + approval)

    production = load_environments(written(tmp_path, content))[1]

    assert [gate.name for gate in production.environment.gates] == [
        "approval",
        "approval-2",
        "approval-3",
        "approval-4",
        "board",
    ]


@pytest.mark.parametrize(
    ("changed", "to", "place", "words"),
    [
        ("name: board", "name: security", None, ""),
        ("name: web-2,", "name: web-1,", "8:10: environments[0].targets[1].name", "earlier target"),
        ("name: production", "name: staging", "9:5: environments[1].name", "earlier environment"),
        ("name: web-3, agent: east", "name: web-1, agent: east",
         "21:10: environments[1].targets[0].name", "already has a target 'web-1'"),
        ("type: security", "type: securty", "14:9: environments[1].gates[0].type", "securty"),
        ("required: 2", "required: 3", "19:9: environments[1].gates[2].config", "requires 3"),
        ("required: 2", "requird: 2", "19:18: environments[1].gates[2].config.requird", "known"),
        ("required: 2", "required: two", "19:18: environments[1].gates[2].config.required", "two"),
        ("groups: [leads], timeout", "groups: [lead], timeout",
         "16:31: environments[1].gates[1].config.groups", "no group is called lead"),
        ("agent: west", "agent: west, driver: teleport", "8:36: environments[0].targets[1].driver",
         "no driver is called 'teleport'"),
        ("health: {url:", "health: {ulr:", "7:54: environments[0].targets[0].config.health.ulr",
         "url"),
        ('"http://127.0.0.1:9001/"', "nowhere",
         "7:54: environments[0].targets[0].config.health.url", "URL"),
        ("sampling: 0.1", "template: swift", "11:5: environments[1].template", "swift"),
        ("sampling: 0.1", "template: {name: t, nodes: [{id: a, type: fly}]}",
         "11:41: environments[1].template.nodes[0].type", "fly"),
        ("sampling: 0.1", "template: {name: t, nodes: [{id: a, type: deploy, needs: [b]}]}",
         "11:63: environments[1].template.nodes[0].needs[0]", "'b'"),
        ("sampling: 0.1", "template: {name: t, nodes: [{id: a, type: deploy, needs: [a]}]}",
         "11:55: environments[1].template.nodes[0].needs", "cycle"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_column_and_field(
    tmp_path: Path, changed: str, to: str, place: str | None, words: str
) -> None:
    assert changed in ENVIRONMENTS
    content = ENVIRONMENTS.replace(changed, to, 1)
    if place is None:
        load_environments(written(tmp_path, content))
        return

    error = refused(tmp_path, content)

    assert f"{tmp_path / 'file.yaml'}:{place}: " in str(error)
    assert words in str(error)


def test_a_gate_name_given_twice_is_refused(tmp_path: Path) -> None:
    content = ENVIRONMENTS.replace("type: security", "{type: security, name: board}")

    error = refused(tmp_path, content)

    assert error.field.endswith(":18:9: environments[1].gates[2].name")
    assert error.problem == "'board' is the name of an earlier gate"


def test_all_that_a_file_says_is_in_the_definitions(tmp_path: Path) -> None:
    first, second = load_environments(written(tmp_path, FULL))

    environment = second.environment
    assert environment.auto == AutoPromotion(after="first", soak=timedelta(hours=1))
    assert environment.queue is QueuePolicy.LATEST_WINS
    assert environment.parameters == {"replicas": 3}
    assert [delegation.giver for delegation in environment.delegations] == ["ann"]
    assert set(environment.keys) == set(first.environment.keys) == {"ann"}
    scan, signoff = environment.gates
    assert (scan.name, scan.on_error, scan.on_rollback) == ("security", "allow", "ask")
    assert signoff.when == "gates.security.outcome != 'failed'"
    assert signoff.override == Overriders(groups=("leads",), users=("zoe",))


def test_mistakes_of_several_kinds_are_listed_together(tmp_path: Path) -> None:
    content = (
        ENVIRONMENTS.replace("required: 2", "required: 3")
        .replace("type: security", "type: securty")
        .replace("name: web-2,", "name: web-1,")
    )

    error = refused(tmp_path, content)

    lines = error.problem.splitlines()
    assert lines[0] == "3 problems"
    assert [line.split(":")[1] for line in lines[1:]] == ["8", "14", "19"]


def test_an_agent_may_serve_targets_of_several_environments(tmp_path: Path) -> None:
    staging, production = load_environments(written(tmp_path, ENVIRONMENTS))

    assert staging.targets[0].agent_id == production.targets[0].agent_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAME = st.sampled_from(["a", "b", "web-1", "leads", "A b", ""])


def records(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: each | JSON for name, each in fields.items()})


GATES = records(
    type=st.sampled_from(["approval", "security", "freeze_window", "none", ""]),
    name=NAME,
    config=records(
        required=st.integers(-1, 3),
        groups=st.lists(NAME, max_size=2),
        windows=st.lists(JSON, max_size=2),
        max_critical=st.integers(-1, 3),
    ),
)
NODES = records(
    id=NAME, type=st.sampled_from(["deploy", "approval", "x"]), needs=st.lists(NAME, max_size=2)
)
FILES = records(
    groups=st.dictionaries(NAME, st.lists(NAME, max_size=2), max_size=2),
    environments=st.lists(
        st.fixed_dictionaries(
            {
                "name": NAME,
                "targets": st.lists(
                    st.fixed_dictionaries({"name": NAME, "agent": NAME}), min_size=1, max_size=2
                ),
            },
            optional={
                "gates": st.lists(GATES, max_size=2),
                "template": records(name=NAME, nodes=st.lists(NODES, max_size=3)) | NAME,
                "sampling": JSON,
            },
        ),
        max_size=2,
    ),
)


@settings(max_examples=300, deadline=None)
@given(data=FILES)
def test_any_structure_gives_definitions_or_an_input_error(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "file.yaml"
        YAML(typ="safe", pure=True).dump(data, path)
        try:
            definitions = load_environments(path)
        except InputError:
            return
        for definition in definitions:
            stored = definition.model_dump_json()
            assert EnvironmentDefinition.model_validate_json(stored).digest == definition.digest
