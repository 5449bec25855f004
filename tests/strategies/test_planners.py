from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.errors import InputError
from engine.model.environment import Target
from engine.model.identity import agent_id, environment_id, target_id, tenant_id
from engine.model.strategy import AllAtOnce, Rolling, Strategy
from engine.strategies import registry
from engine.strategies.registry import plan

TENANT = tenant_id("default")
ENVIRONMENT = environment_id(TENANT, "production")


def _targets(count: int) -> list[Target]:
    return [
        Target(
            id=target_id(ENVIRONMENT, f"host-{number}"),
            name=f"host-{number}",
            agent="agent-1",
            agent_id=agent_id(TENANT, "agent-1"),
            driver="directory",
        )
        for number in range(count)
    ]


def _sizes(strategy: Strategy, count: int) -> list[int]:
    return [len(batch) for batch in plan(strategy, _targets(count)).batches]


_PERCENTS = st.integers(1, 100).map(lambda share: f"{share}%")
_STRATEGIES = st.one_of(
    st.just(AllAtOnce()),
    st.one_of(st.integers(1, 80), _PERCENTS).map(lambda size: Rolling(batch_size=size)),
)


@settings(deadline=None)
@given(_STRATEGIES, st.integers(1, 60))
def test_every_target_comes_exactly_once_and_in_order(strategy: Strategy, count: int) -> None:
    targets = _targets(count)
    planned = plan(strategy, targets)
    assert [target for batch in planned.batches for target in batch] == targets


@settings(deadline=None)
@given(_STRATEGIES, st.integers(1, 60))
def test_every_batch_has_the_stated_size_but_the_last_may_be_smaller(
    strategy: Strategy, count: int
) -> None:
    planned = plan(strategy, _targets(count))
    *full, last = [len(batch) for batch in planned.batches]
    assert all(size == planned.batch_size for size in full)
    assert 1 <= last <= planned.batch_size <= count


@settings(deadline=None)
@given(st.integers(1, 60))
def test_all_at_once_is_one_batch(count: int) -> None:
    assert _sizes(AllAtOnce(), count) == [count]


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 60))
def test_a_percentage_is_never_exceeded_by_a_batch_of_more_than_one(share: int, count: int) -> None:
    size = plan(Rolling(batch_size=f"{share}%"), _targets(count)).batch_size
    assert size == 1 or size * 100 <= share * count
    assert (size + 1) * 100 > share * count


@pytest.mark.parametrize(
    ("batch_size", "count", "sizes"),
    [
        (1, 3, [1, 1, 1]),
        (2, 5, [2, 2, 1]),
        (3, 3, [3]),
        (10, 3, [3]),
        ("1%", 3, [1, 1, 1]),
        ("25%", 10, [2, 2, 2, 2, 2]),
        ("33%", 9, [2, 2, 2, 2, 1]),
        ("29%", 100, [29, 29, 29, 13]),
        ("50%", 3, [1, 1, 1]),
        ("100%", 7, [7]),
    ],
)
def test_rolling_cuts_as_written(batch_size: int | str, count: int, sizes: list[int]) -> None:
    assert _sizes(Rolling(batch_size=batch_size), count) == sizes


@pytest.mark.parametrize("strategy", [AllAtOnce(), Rolling(batch_size=2)])
def test_no_targets_are_refused(strategy: Strategy) -> None:
    with pytest.raises(InputError, match="none to deploy to") as caught:
        plan(strategy, [])
    assert caught.value.field == "targets"


@pytest.mark.parametrize("size", [0, -1, "0%", "101%", "half", 1.5])
def test_an_impossible_batch_size_never_gets_as_far_as_a_planner(size: object) -> None:
    with pytest.raises(ValidationError):
        Rolling.model_validate({"batch_size": size})


def test_every_strategy_of_the_model_has_its_planner() -> None:
    union, _ = get_args(Strategy)
    assert registry.names() == tuple(sorted(each().type for each in get_args(union)))
    for name in registry.names():
        assert registry.get(name).type == name


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'canray'.*known strategies: all_at_once, rolling"):
        registry.get("canray")


def test_ten_thousand_targets_are_planned() -> None:
    planned = plan(Rolling(batch_size="2%"), _targets(10_000))
    assert planned.batch_size == 200
    assert len(planned.batches) == 50
