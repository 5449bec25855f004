"""The four figures over histories that are written down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.dora import Dora, dora
from engine.model.delivery import Deployment
from tests.metrics.history import NOW, WINDOW, deployment

DAY = 86_400.0


def figures(*history: Deployment, window: timedelta = WINDOW) -> Dora:
    """Of the one environment of this history."""
    (found,) = dora(history, [("acme", "production")], NOW, window)
    return found


def test_an_environment_without_deployments_has_a_frequency_of_zero_and_no_other_figure() -> None:
    found = figures()
    assert (found.deployments, found.failures, found.unrecovered) == (0, 0, 0)
    assert found.deployment_frequency == 0
    assert found.lead_time_seconds is None
    assert found.change_failure_rate is None
    assert found.recovery_time_seconds is None


def test_successes_alone() -> None:
    found = figures(
        deployment("1", 20, lead_days=1), deployment("2", 10, lead_days=2),
        deployment("3", 5, lead_days=9),
    )  # fmt: skip
    assert found.deployment_frequency == pytest.approx(3 / 30)
    assert found.lead_time_seconds == pytest.approx(2 * DAY)
    assert found.change_failure_rate == 0
    assert found.recovery_time_seconds is None


def test_a_failure_and_what_made_it_good() -> None:
    found = figures(deployment("1", 20), deployment("2", 10, succeeded=False), deployment("3", 8))
    assert (found.deployments, found.failures, found.unrecovered) == (3, 1, 0)
    assert found.deployment_frequency == pytest.approx(2 / 30)
    assert found.change_failure_rate == pytest.approx(1 / 3)
    assert found.recovery_time_seconds == pytest.approx(2 * DAY)


def test_a_failure_that_nothing_made_good_is_counted_and_has_no_recovery_time() -> None:
    found = figures(deployment("1", 20), deployment("2", 10, succeeded=False))
    assert (found.failures, found.unrecovered) == (1, 1)
    assert found.recovery_time_seconds is None
    assert found.change_failure_rate == 0.5


def test_one_success_makes_all_failures_before_it_good() -> None:
    found = figures(
        deployment("2", 10, succeeded=False), deployment("2", 9, succeeded=False),
        deployment("2", 6),
    )  # fmt: skip
    assert (found.deployments, found.failures, found.unrecovered) == (3, 2, 0)
    assert found.recovery_time_seconds == pytest.approx(3.5 * DAY)


def test_a_lead_time_ends_with_the_first_success_also_after_failures() -> None:
    found = figures(
        deployment("1", 10, succeeded=False, registered_days_ago=12),
        deployment("1", 9, registered_days_ago=12),
        deployment("1", 2, registered_days_ago=12),
    )
    assert found.lead_time_seconds == pytest.approx(3 * DAY)


def test_a_rollback_shows_that_the_release_that_it_replaces_had_failed() -> None:
    found = figures(deployment("1", 20), deployment("2", 10), deployment("1", 7))
    # The rollback itself is no change.
    assert (found.deployments, found.failures, found.unrecovered) == (2, 1, 0)
    assert found.deployment_frequency == pytest.approx(2 / 30)
    assert found.change_failure_rate == 0.5
    assert found.recovery_time_seconds == pytest.approx(3 * DAY)


def test_a_rollback_after_a_failure_makes_it_good_and_counts_it_once() -> None:
    found = figures(deployment("1", 20), deployment("2", 10, succeeded=False), deployment("1", 9.5))
    assert found.failures == 1
    assert found.recovery_time_seconds == pytest.approx(0.5 * DAY)


def test_the_release_before_the_window_tells_a_rollback_within_it() -> None:
    found = figures(deployment("1", 45), deployment("2", 29), deployment("1", 28))
    assert (found.deployments, found.failures) == (1, 1)
    assert found.recovery_time_seconds == pytest.approx(DAY)


def test_a_rollback_of_a_release_from_before_the_window_fails_no_change_within_it() -> None:
    found = figures(deployment("1", 45), deployment("2", 40), deployment("1", 10))
    assert (found.deployments, found.failures) == (0, 0)
    assert found.change_failure_rate is None
    assert found.recovery_time_seconds == pytest.approx(30 * DAY)


def test_a_rollback_that_fails_shows_the_failure_too_and_leaves_it_open() -> None:
    found = figures(deployment("1", 20), deployment("2", 10), deployment("1", 9, succeeded=False))
    assert (found.deployments, found.failures, found.unrecovered) == (2, 1, 1)
    assert found.recovery_time_seconds is None


def test_a_release_that_is_deployed_again_in_its_own_place_is_no_change() -> None:
    found = figures(deployment("1", 20), deployment("1", 10), deployment("1", 9, succeeded=False))
    assert (found.deployments, found.failures) == (1, 0)
    assert found.deployment_frequency == pytest.approx(1 / 30)


def test_a_release_that_is_taken_up_again_after_its_rollback_stays_the_one_change() -> None:
    found = figures(
        deployment("1", 20), deployment("2", 10), deployment("1", 9), deployment("2", 5)
    )
    assert (found.deployments, found.failures, found.unrecovered) == (2, 1, 0)
    assert found.recovery_time_seconds == pytest.approx(DAY)


def test_products_of_one_environment_do_not_make_each_others_failures_good() -> None:
    found = figures(
        deployment("1", 10, succeeded=False, product="shop"),
        deployment("1", 9, product="blog"),
        deployment("1", 4, product="shop"),
    )
    assert (found.deployments, found.failures) == (3, 1)
    assert found.recovery_time_seconds == pytest.approx(6 * DAY)


def test_environments_and_tenants_have_figures_of_their_own() -> None:
    found = dora(
        [
            deployment("1", 10, environment="staging"),
            deployment("1", 9, succeeded=False, environment="production"),
            deployment("1", 8, environment="production", tenant="other"),
        ],
        [("acme", "staging"), ("acme", "production"), ("acme", "empty")],
        NOW,
        WINDOW,
    )
    assert [(one.tenant, one.environment, one.deployments, one.failures) for one in found] == [
        ("acme", "empty", 0, 0),
        ("acme", "production", 1, 1),
        ("acme", "staging", 1, 0),
        ("other", "production", 1, 0),
    ]


def test_what_lies_outside_of_the_window_does_not_count() -> None:
    history = [deployment("1", 6), deployment("2", 3), deployment("3", 0.5)]
    assert figures(*history, window=timedelta(days=1)).deployment_frequency == 1
    assert figures(*history, window=timedelta(days=4)).deployments == 2
    assert figures(deployment("4", -1)).deployments == 0


_VERSIONS = st.sampled_from(["1", "2", "3"])
_HISTORIES = st.lists(
    st.builds(
        deployment,
        _VERSIONS,
        st.integers(0, 59),
        succeeded=st.booleans(),
        lead_days=st.floats(-1, 100),
        product=st.sampled_from(["shop", "blog"]),
    ),
    max_size=12,
    unique_by=lambda one: one.promotion_id,
)


@given(_HISTORIES, st.randoms())
def test_the_figures_are_bounded_and_do_not_depend_on_the_order_in_which_they_are_read(
    history: list[Deployment], random: object
) -> None:
    found = figures(*history)
    shuffled = list(history)
    assert hasattr(random, "shuffle")
    random.shuffle(shuffled)
    assert figures(*shuffled) == found
    assert 0 <= found.failures <= found.deployments <= len(history)
    assert found.deployment_frequency <= found.deployments / 30
    if found.change_failure_rate is not None:
        assert 0 <= found.change_failure_rate <= 1
    for seconds in (found.lead_time_seconds, found.recovery_time_seconds):
        assert seconds is None or seconds >= 0
