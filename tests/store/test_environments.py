from __future__ import annotations

import pytest

from engine.errors import InputError, NotFoundError
from engine.model.base import Json
from engine.model.environment import AutoPromotion, EnvironmentDefinition
from engine.store.change import Change
from engine.store.database import Database
from engine.store.store import Store
from tests.store.counting import statements
from tests.store.samples import (
    START,
    TENANT,
    after,
    definition,
    opened,
    result,
    running,
    start_job,
    tasks,
)


async def test_what_was_applied_comes_back_equal_in_every_part(store: Store) -> None:
    wanted = definition()
    assert await store.environments.apply(wanted) is Change.CREATED
    found = await store.environments.get(TENANT, "production")
    assert found == wanted
    assert found.digest == wanted.digest
    assert found.environment.policy_digest == wanted.environment.policy_digest


async def test_applying_the_same_again_changes_nothing(store: Store) -> None:
    await store.environments.apply(definition(), at=START)
    assert await store.environments.apply(definition(), at=after(9)) is Change.UNCHANGED
    [revision] = await store.environments.revisions(TENANT, "production")
    assert (revision.number, revision.applied_at) == (1, START)


async def test_every_change_is_kept_as_a_revision_also_one_back_to_an_earlier_state(
    store: Store,
) -> None:
    first, second = definition(), definition(targets=["web-1"])
    for moment, wanted in enumerate([first, second, second, first]):
        await store.environments.apply(wanted, at=after(moment))
    revisions = await store.environments.revisions(TENANT, "production")
    assert [revision.number for revision in revisions] == [1, 2, 3]
    assert [revision.definition for revision in revisions] == [first, second, first]
    assert [revision.digest for revision in revisions] == [
        first.digest,
        second.digest,
        first.digest,
    ]
    assert [revision.applied_at for revision in revisions] == [after(0), after(1), after(3)]


async def test_a_change_of_targets_adds_removes_reorders_and_brings_back(store: Store) -> None:
    for names in (["a", "b"], ["c", "a"], ["b", "c", "a"]):
        wanted = definition(targets=names)
        await store.environments.apply(wanted)
        assert await store.environments.targets(wanted.environment.id) == wanted.targets
        assert await store.environments.get(TENANT, "production") == wanted


async def test_a_removed_targets_tasks_stay_on_record(store: Store) -> None:
    promotion = await opened(store)
    targets = await store.environments.targets(promotion.environment.id)
    job = await start_job(store, promotion)
    done = [result(task, running(promotion)) for task in tasks(promotion, targets)]
    await store.executions.record_tasks(job, done)
    await store.environments.apply(definition(targets=["web-3"]))
    assert {task.target for task in await store.executions.tasks(job)} == {
        "web-1",
        "web-2",
        "web-3",
    }
    assert [row.target for row in await store.executions.running(promotion.environment.id)] == [
        "web-3"
    ]


async def test_environments_are_listed_by_order_then_name_each_with_its_own_targets(
    store: Store,
) -> None:
    production = definition("production", ["p"], order=2)
    staging = definition("staging", ["s-2", "s-1"], order=1)
    canary = definition("canary", ["c"], order=2)
    for item in (production, staging, canary):
        await store.environments.apply(item)
    assert await store.environments.list(TENANT) == [staging, canary, production]


async def test_a_tenant_sees_only_its_own(store: Store) -> None:
    ours, theirs = definition(), definition(tenant="globex", targets=["x"])
    await store.environments.apply(ours)
    await store.environments.apply(theirs)
    assert await store.environments.list(TENANT) == [ours]
    assert await store.environments.get("globex", "production") == theirs


async def test_an_unknown_environment_is_answered_with_those_that_exist(store: Store) -> None:
    await store.environments.apply(definition("staging", order=1))
    await store.environments.apply(definition("production", order=2))
    with pytest.raises(NotFoundError, match=r"'prod'; it has: staging, production;") as caught:
        await store.environments.get(TENANT, "prod")
    assert caught.value.field == "environment"


async def test_an_unknown_tenant_is_named_and_no_other(store: Store) -> None:
    await store.environments.apply(definition())
    for call in (
        store.environments.get("nobody", "production"),
        store.environments.revisions("nobody", "production"),
        store.environments.list("nobody"),
    ):
        with pytest.raises(NotFoundError, match="'nobody'") as caught:
            await call
        assert caught.value.field == "tenant"
        assert TENANT not in str(caught.value)


async def test_reading_takes_as_many_statements_for_hundreds_of_targets_as_for_one(
    store: Store, database: Database
) -> None:
    counts = set()
    for size in (1, 300):
        wanted = definition(targets=[f"web-{number}" for number in range(size)])
        await store.environments.apply(wanted)
        await store.environments.apply(definition(f"other-{size}", ["x"]))
        with statements(database) as seen:
            assert await store.environments.get(TENANT, "production") == wanted
            await store.environments.list(TENANT)
            await store.environments.targets(wanted.environment.id)
        counts.add(len(seen))
    assert len(counts) == 1


async def test_more_targets_than_one_statement_can_have_parameters(store: Store) -> None:
    wanted = definition(targets=[f"web-{number}" for number in range(10_000)])
    await store.environments.apply(wanted)
    assert await store.environments.targets(wanted.environment.id) == wanted.targets
    fewer = definition(targets=["web-9999"])
    await store.environments.apply(fewer)
    assert await store.environments.targets(wanted.environment.id) == fewer.targets


@pytest.mark.parametrize(
    "value",
    [1e22, 5e-324, -0.0, 2**53 - 1, "\u2028 \U0001f680 \\u0000", {"": [None, True, [[]]]}, 0.1],
    ids=repr,
)
async def test_configuration_keeps_its_digest_through_the_database(
    store: Store, value: Json
) -> None:
    wanted = definition(config={"value": value})
    await store.environments.apply(wanted)
    found = await store.environments.get(TENANT, "production")
    assert found.digest == wanted.digest
    [revision] = await store.environments.revisions(TENANT, "production")
    assert revision.definition.digest == wanted.digest


async def test_a_definition_that_cannot_be_digested_is_refused_by_field(store: Store) -> None:
    with pytest.raises(InputError, match=r"environments\.production: no canonical JSON form"):
        await store.environments.apply(definition(config={"value": 2**60}))


async def test_two_targets_of_one_name_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match="'web-1' is given twice"):
        await store.environments.apply(definition(targets=["web-1", "web-1"]))


async def test_an_environment_under_another_tenants_name_is_refused(store: Store) -> None:
    forged = definition().model_copy(update={"tenant": "globex"})
    with pytest.raises(InputError, match="tenant_id"):
        await store.environments.apply(forged)


async def test_what_follows_by_rule_upon_an_environment_is_found(store: Store) -> None:
    def ruled(name: str, after: str | None) -> EnvironmentDefinition:
        found = definition(name)
        rule = None if after is None else AutoPromotion(after=after)
        return found.model_copy(
            update={"environment": found.environment.model_copy(update={"auto": rule})}
        )

    rules = {"staging": None, "east": "staging", "west": "staging", "eu": "qa"}
    for name, before in rules.items():
        await store.environments.apply(ruled(name, before))
    await store.environments.apply(definition("staging", tenant="other"))
    tenant = ruled("staging", None).environment.tenant_id
    found = await store.environments.following(tenant, "staging")
    assert [each.name for each in found] == ["east", "west"]
    assert await store.environments.following(tenant, "east") == ()
