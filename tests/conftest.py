from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.postgres", "tests.harness.temporal", "tests.harness.fixtures"]

# A busy machine is no failure.
settings.register_profile("promote", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("promote")

SLOWEST = ("chaos", "settlement", "e2e", "workflows", "logs", "metrics", "embedded", "telemetry")
"""Directories that go first, so that no process is left alone with them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        directory = item.path.relative_to(Path(__file__).parent).parts[0]
        return SLOWEST.index(directory) if directory in SLOWEST else len(SLOWEST)

    items.sort(key=place)
