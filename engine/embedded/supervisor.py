"""Keeping a tree of processes up: started in order, replaced when they die, stopped in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.embedded.process import ChildProcess, ChildSpec, ending
from engine.errors import ProcessTreeError


@dataclass(frozen=True)
class RestartPolicy:
    """How often and how fast a child that died is started again. Times are in seconds.

    Attributes:
        attempts: restarts in a row before the whole tree is given up.
        first_delay, longest_delay: the delay doubles from the one to the other.
        stable_after: a child that stayed up for this long starts a new row.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 10.0
    stable_after: float = 30.0

    def delay(self, deaths: int) -> float:
        """Seconds to wait after that many deaths in a row."""
        return min(self.first_delay * 2.0 ** (deaths - 1), self.longest_delay)


@dataclass
class _Entry:
    spec: ChildSpec
    child: ChildProcess
    keeper: asyncio.Task[None] | None = None


class Supervisor:
    """The children of one `supervision`."""

    def __init__(
        self,
        logs: Path,
        report: Callable[[str], None],
        give_up: Callable[[ProcessTreeError], None],
        policy: RestartPolicy,
        echo: bool,
    ) -> None:
        self._logs = logs
        self._report = report
        self._give_up = give_up
        self._policy = policy
        self._echo = echo
        self._entries: list[_Entry] = []

    async def start(self, spec: ChildSpec) -> None:
        """Start a child, wait until it is ready, and keep it up from then on.

        Raises:
            ProcessTreeError: it did not become ready; it is stopped again.
        """
        entry = _Entry(spec, await self._spawn(spec))
        self._entries.append(entry)
        try:
            await entry.child.wait_until_ready()
        except ProcessTreeError:
            await entry.child.stop()
            self._entries.remove(entry)
            raise
        entry.keeper = asyncio.create_task(self._keep(entry), name=f"keep {spec.name}")

    async def stop(self) -> None:
        """Stop all children, the last started first. When cancelled, it kills those that remain."""
        keepers = [entry.keeper for entry in self._entries if entry.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        try:
            await asyncio.gather(*keepers, return_exceptions=True)
            while self._entries:
                await self._entries[-1].child.stop()
                self._entries.pop()
        finally:
            for entry in self._entries:
                entry.child.kill()

    async def _spawn(self, spec: ChildSpec) -> ChildProcess:
        def echo(line: str) -> None:
            self._report(f"{spec.name} | {line}")

        log = self._logs / f"{spec.name}.log"
        return await ChildProcess.start(spec, log, echo if self._echo else None)

    async def _keep(self, entry: _Entry) -> None:
        name, deaths = entry.spec.name, 0
        clock = asyncio.get_running_loop().time
        while True:
            since = clock()
            code = await entry.child.wait()
            # Frees what it held, for example its port, before the next one needs it.
            await entry.child.stop()
            deaths = 1 if clock() - since >= self._policy.stable_after else deaths + 1
            if deaths > self._policy.attempts:
                self._give_up(
                    ProcessTreeError(
                        f"{name} ended {deaths} times in a row, at last by {ending(code)}; "
                        f"see {self._logs / name}.log"
                    )
                )
                return
            delay = self._policy.delay(deaths)
            self._report(f"{name} ended unexpectedly ({ending(code)}); again in {delay:g} s")
            await asyncio.sleep(delay)
            try:
                entry.child = await self._spawn(entry.spec)
                await entry.child.wait_until_ready()
            except ProcessTreeError as error:
                self._report(str(error))
                await entry.child.stop()
            else:
                self._report(f"{name} is ready again")


@asynccontextmanager
async def supervision(
    logs: Path,
    report: Callable[[str], None],
    *,
    policy: RestartPolicy | None = None,
    echo: bool = False,
) -> AsyncIterator[Supervisor]:
    """A supervisor for the time of the block, with no child left after it.

    Args:
        logs: the directory of the logs, `<name>.log` for each child.
        report: takes one line for people about what happens to the children.
        echo: whether to report each line that they print.

    Raises:
        ProcessTreeError: a child died too often; the block is cancelled for it.
    """
    owner = asyncio.current_task()
    if owner is None:
        raise RuntimeError("needs a task to run in")
    cancellations = owner.cancelling()
    failure: ProcessTreeError | None = None

    def give_up(error: ProcessTreeError) -> None:
        nonlocal failure
        if failure is None:
            failure = error
            owner.cancel()

    supervisor = Supervisor(logs, report, give_up, policy or RestartPolicy(), echo)
    try:
        yield supervisor
    except asyncio.CancelledError:
        # As asyncio.timeout() does: our own cancellation becomes the error, another's goes on.
        if failure is not None and owner.uncancel() <= cancellations:
            raise failure from None
        raise
    finally:
        await supervisor.stop()
