from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.dora_table import length
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision
from engine.store.store import Store
from tests.harness.processes import environment, promote
from tests.store.samples import after, definition, opened, start_job

# Far enough that no clock leaves it, and PROMOTE_DORA_WINDOW writes it in hours.
WINDOW = {"PROMOTE_DORA_WINDOW": "240000h"}


@pytest.fixture
async def env(tmp_path: Path) -> dict[str, str]:
    """One environment with a success, a failure and a success, and one with nothing."""
    prepared = environment(tmp_path, "127.0.0.1:1", **WINDOW)
    assert promote("db", "upgrade", env=prepared).returncode == 0
    async with Store.open(f"sqlite:///{tmp_path / 'promote.db'}") as store:
        await store.environments.apply(definition("staging", order=0))
        for number, status in enumerate(
            [PromotionStatus.SUCCEEDED, PromotionStatus.FAILED, PromotionStatus.SUCCEEDED], start=1
        ):
            promotion = await opened(store, number, f"1.{number}.0")
            await start_job(store, promotion)
            await store.promotions.record_status(
                promotion.promotion_id, status, Decision.ALLOW, at=after(number * 3600)
            )
    return prepared


def test_the_figures_come_out_of_the_record(env: dict[str, str]) -> None:
    told = promote("dora", "--environment", "production", "--json", env=env)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == [
        {
            "tenant": "acme",
            "environment": "production",
            "deployments": 3,
            "failures": 1,
            "unrecovered": 0,
            "deployment_frequency": 2 / 10_000,
            "lead_time_seconds": 7200.0,
            "change_failure_rate": 1 / 3,
            "recovery_time_seconds": 3600.0,
        }
    ]


def test_people_get_a_line_for_each_environment(env: dict[str, str]) -> None:
    told = promote("dora", env=env)
    heading, production, staging = told.stdout.splitlines()
    assert "lead time" in heading
    assert production.split() == [
        "acme", "production", "3", "0.00", "2.0", "h", "33.3%", "1.0", "h", "0",
    ]  # fmt: skip
    assert staging.split() == ["acme", "staging", "0", "0.00", "-", "-", "-", "0"]


def test_the_window_of_the_command_wins(env: dict[str, str]) -> None:
    told = promote("dora", "--window", "1h", "-e", "production", "--json", env=env)
    (figures,) = json.loads(told.stdout)
    assert figures["deployments"] == 0
    assert figures["lead_time_seconds"] is None
    refused = promote("dora", "--window", "soon", env=env)
    assert refused.returncode == 2
    assert "--window" in refused.stderr


def test_a_window_that_cannot_be_used_is_named(env: dict[str, str]) -> None:
    refused = promote("dora", env={**env, "PROMOTE_DORA_WINDOW": "0s"})
    assert refused.returncode == 2
    assert "PROMOTE_DORA_WINDOW" in refused.stderr


def test_an_environment_that_is_not_there_is_no_figure(env: dict[str, str]) -> None:
    told = promote("dora", "--tenant", "nobody", env=env)
    assert told.returncode == 0
    assert "no such environments" in told.stderr


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "-"),
        (0.0, "0.0 s"),
        (59, "59.0 s"),
        (90, "1.5 min"),
        (5400, "1.5 h"),
        (86400, "1.0 d"),
    ],
)
def test_lengths_of_time_are_written_in_their_largest_unit(
    seconds: float | None, written: str
) -> None:
    assert length(seconds) == written
