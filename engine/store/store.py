"""The store: one database, and the repositories over it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from engine.store import schema
from engine.store.database import Database
from engine.store.environments import EnvironmentRepository
from engine.store.evidence import EvidenceRepository
from engine.store.executions import ExecutionRepository
from engine.store.freezes import FreezeRepository
from engine.store.holds import HoldRepository
from engine.store.lineage import LineageRepository
from engine.store.promotions import PromotionRepository
from engine.store.receipts import ReceiptRepository
from engine.store.releases import ReleaseRepository
from engine.store.standings import StandingRepository
from engine.store.statistics import StatisticsRepository
from engine.store.templates import TemplateRepository
from engine.store.traces import TraceRepository


class Store:
    """What the engine remembers. An async context manager that closes its connections.

    To be used within one event loop. Every call of a repository is one transaction, every write
    may be repeated, and every error is one of `engine.errors`: beside those that a method names,
    UnreachableError when the database does not answer and SchemaVersionError when it lacks tables.

    Attributes:
        environments: environments with their targets.
        releases: releases with their attachments.
        promotions: promotions with their gates and votes.
        lineage: how promotions follow upon each other.
        executions: template runs, steps, deployment jobs and agent tasks.
        evidence: statements and envelopes.
        freezes: what people set and lifted by hand.
        holds: what holds back automatic promotion.
        standings: what releases have done in environments.
        receipts: which spans a collector has taken.
        templates: templates by name and version.
        statistics: figures over all promotions.
        traces: which promotions' traces are to be settled.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.environments = EnvironmentRepository(database)
        self.releases = ReleaseRepository(database)
        self.promotions = PromotionRepository(database)
        self.lineage = LineageRepository(database)
        self.executions = ExecutionRepository(database)
        self.evidence = EvidenceRepository(database)
        self.freezes = FreezeRepository(database)
        self.holds = HoldRepository(database)
        self.standings = StandingRepository(database)
        self.receipts = ReceiptRepository(database)
        self.statistics = StatisticsRepository(database)
        self.templates = TemplateRepository(database)
        self.traces = TraceRepository(database)

    @classmethod
    def open(cls, url: str) -> Self:
        """A store on the database at `url`; nothing is connected to before the first call.

        Raises:
            InputError: the URL cannot be used.
        """
        return cls(Database(url))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def require_current_schema(self) -> None:
        """Do nothing when the database is on the revision that this code works with.

        Raises:
            SchemaVersionError: it is on another or on none; the message says what to do.
            UnreachableError: it did not answer.
        """
        await schema.require_current(self._database.engine)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
