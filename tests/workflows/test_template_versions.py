"""A promotion follows the template that was the newest when it began, whatever is applied later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from engine.documents.applying import Applied, apply_files
from engine.documents.definitions import read_definitions
from engine.model.execution import StepStatus
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.store.change import Change
from engine.worker import running_worker
from tests.harness.system import System, prepared_system

INNER = """\
tenant: {tenant}
name: saying
version: "{version}"
parameters:
  word: {{type: string}}
  times: {{type: integer, default: 1}}
nodes:
  - id: say
    type: command
    inputs:
      command: [printf, '{{"said": "%s %s by {version}"}}', "${{{{ params.word }}}}",
                "${{{{ string(params.times) }}}}"]
      outputs: json
  - id: {last}
    type: command
    needs: [say]
    inputs:
      command: [printf, '{{"heard": "%s"}}', "${{{{ nodes.say.outputs.said }}}}"]
      outputs: json
"""
OUTER = """\
tenant: {tenant}
name: steps
version: "{version}"
parameters:
  word: {{type: string}}
  loud: {{type: boolean, default: false}}
nodes:
  - id: inner
    type: include
    inputs:
      template: saying
      parameters: {{word: "${{{{ params.loud ? params.word + '!' : params.word }}}}", times: 2}}
  - id: {last}
    type: command
    needs: [inner]
    when: nodes['inner.say'].status == 'succeeded'
    inputs:
      command: [printf, '{{"told": "%s"}}', "${{{{ nodes['inner.{inner}'].outputs.heard }}}}"]
      outputs: json
"""
ENVIRONMENTS = """\
tenant: {tenant}
groups: {{managers: [bob]}}
environments:
  - name: production
    template: steps
    parameters: {{word: quiet}}
    targets: [{{name: t1, agent: nobody}}]
    gates: [{{type: approval, config: {{required: 1, groups: [managers]}}}}]
"""


async def apply(system: System, *texts: str) -> Applied:
    paths = []
    for at, text in enumerate(texts):
        paths.append(system.directory / f"{at}.yaml")
        paths[-1].write_text(text)
    return await apply_files(system.store, read_definitions(paths))


async def applied_version(system: System, version: str, inner: str, last: str) -> Applied:
    return await apply(
        system,
        OUTER.format(tenant=system.tenant, version=version, last=last, inner=inner),
        INNER.format(tenant=system.tenant, version=version, last=inner),
    )


async def waiting(
    system: System, release: str, parameters: Mapping[str, Any]
) -> WorkflowHandle[Any, Any]:
    handle = await system.start(release, "production", parameters=parameters)
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    return handle


async def approved(system: System, handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """What the steps put out, by node, once the promotion was approved and has succeeded."""
    await handle.execute_update("approve", {"user": "bob"})
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    steps = await system.store.executions.steps(UUID(handle.id.removeprefix("promotion/")))
    assert {step.status for step in steps} == {StepStatus.SUCCEEDED}
    return {step.node_id: step.outputs for step in steps}


async def test_a_promotion_ends_by_the_version_that_it_began_with(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as system:
        release = await system.release("1.0.0")
        await applied_version(system, "1", inner="echo", last="tell")
        environments = ENVIRONMENTS.format(tenant=system.tenant)
        async with running_worker(system.settings):
            await apply(system, environments)
            before = await waiting(system, release, {"word": "hello", "loud": True})

        newer = await applied_version(system, "2", inner="mirror", last="report")
        assert [each.change for each in newer.templates] == [Change.CREATED, Change.CREATED]

        async with running_worker(system.settings):
            assert await approved(system, before) == {
                "inner.say": {"said": "hello! 2 by 1"},
                "inner.echo": {"heard": "hello! 2 by 1"},
                "tell": {"told": "hello! 2 by 1"},
            }
            stored = await system.store.promotions.get(UUID(before.id.removeprefix("promotion/")))
            template = stored.snapshot.environment.template
            assert (template.version, stored.snapshot.environment.template_ref) == ("1", "steps")
            assert stored.snapshot.parameters == {"word": "hello", "loud": True}

            after = await waiting(system, release, {})
            assert await approved(system, after) == {
                "inner.say": {"said": "quiet 2 by 2"},
                "inner.mirror": {"heard": "quiet 2 by 2"},
                "report": {"told": "quiet 2 by 2"},
            }
            await refused(system, release)


async def refused(system: System, release: str) -> None:
    """A value that fits no parameter ends the promotion before it is one."""
    wrong = {"lod": True, "word": 3}
    handle = await system.start(release, "production", parameters=wrong)
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    error = caught.value.cause
    assert isinstance(error, ApplicationError)
    assert error.type == "InputError"
    assert "parameters.lod: the template 'steps' has no parameter 'lod'" in error.message
    assert "parameters.word: must be text, but is 3" in error.message
