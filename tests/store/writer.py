"""Writes the same things as every other process that runs this: `python -m tests.store.writer URL`.

It waits for a line on its standard input, so that several can start at once.
"""

from __future__ import annotations

import asyncio
import sys

from engine.model import identity
from engine.model.canonical import sha256_hex
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision
from engine.store.store import Store
from tests.store.samples import (
    TENANT,
    TRACE_ID,
    after,
    contents,
    definition,
    release,
    result,
    running,
    snapshot,
    start_job,
    tasks,
)

ROUNDS = 10


async def write_round(store: Store, number: int) -> None:
    """One promotion from its environment to its evidence."""
    to, of = definition(f"env-{number}"), release(f"1.{number}")
    await store.environments.apply(to)
    await store.releases.register(TENANT, of, contents())
    promotion = snapshot(number, of=of, to=to)
    await store.promotions.open(promotion, f"promotion/{number}", "run-1", TRACE_ID)
    job = await start_job(store, promotion)
    work = tasks(promotion, to.targets)
    await store.executions.assign_tasks(job, work)
    await store.executions.record_tasks(job, [result(task, running(promotion)) for task in work])
    evidence = identity.evidence_id(promotion.promotion_id)
    statement = f"statement {number}".encode()
    digest = sha256_hex(statement)
    await store.evidence.put_statement(
        evidence, promotion.promotion_id, statement, digest, finished_at=after(99)
    )
    await store.evidence.put_envelope(evidence, digest, "key-1", b"envelope")
    await store.promotions.record_status(
        promotion.promotion_id, PromotionStatus.SUCCEEDED, Decision.ALLOW, at=after(100 + number)
    )


async def main(url: str) -> None:
    """Write all rounds, on a line's sign."""
    async with Store.open(url) as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(ROUNDS):
            await write_round(store, number)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
