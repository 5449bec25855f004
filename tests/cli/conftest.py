from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.processes import environment, promote
from tests.harness.system import System, running_system, with_agents


@dataclass(frozen=True)
class Cli:
    """The `promote` command, in processes of its own, against a system that runs."""

    system: System
    address: str

    def env(self, **more: str) -> dict[str, str]:
        return environment(self.system.settings.home, self.address, **more)

    async def __call__(
        self, *arguments: str, stdin: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(promote, *arguments, env=self.env(**more), stdin=stdin)

    async def done(self, *arguments: str, code: int = 0, **more: str) -> str:
        """What the command printed; it has to end with `code` and without a stack trace."""
        ended = await self(*arguments, **more)
        assert ended.returncode == code, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout

    async def refused(
        self, *arguments: str, code: int, stdin: str | None = None, **more: str
    ) -> str:
        """What the command says when it does nothing: one message and no stack trace."""
        ended = await self(*arguments, stdin=stdin, **more)
        assert ended.returncode == code, (ended.stdout, ended.stderr)
        assert ended.stdout == ""
        assert "Traceback" not in ended.stderr
        message = ended.stderr.removeprefix("promote: error: ")
        assert message != ended.stderr
        return message.rstrip("\n")


@pytest.fixture(scope="module")
async def cli(
    tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> AsyncIterator[Cli]:
    """`free` has no gates, `gated` asks for bob's or carol's approval, `scanned` for no finding."""
    with pytest.MonkeyPatch.context() as environ:
        home: Path = tmp_path_factory.mktemp("system")
        async with running_system(home, temporal_address, environ) as system:
            await system.apply(
                "groups: {managers: [bob, carol]}\nenvironments:\n"
                + system.environment_yaml("free", targets=1)
                + system.environment_yaml(
                    "gated",
                    targets=1,
                    gates="[{type: approval, config: {required: 1, groups: [managers]}}]",
                )
                + system.environment_yaml(
                    "scanned", targets=1, gates="[{type: security, config: {max_critical: 0}}]"
                )
            )
            async with with_agents(system, "free-t1", "gated-t1", "scanned-t1"):
                yield Cli(system, temporal_address)
