from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import InputError

ENVIRONMENTS = """\
tenant: acme
groups:
  leads: [ann, bob]
environments:
  - name: staging
    targets:
      - {name: web-1, agent: east, config: {health: {url: "http://127.0.0.1:9001/"}}}
      - {name: web-2, agent: west}
  - name: production
    order: 1
    sampling: 0.1
    strategy: {type: rolling, batch_size: 50%}
    gates:
      - type: security
      - type: approval
        config: {required: 1, groups: [leads], timeout: 72h}
      - type: approval
        name: board
        config: {required: 2, groups: [leads]}
    targets:
      - {name: web-3, agent: east, component: web, labels: {zone: a}}
"""


def problem_of(work: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as raised:
        work()
    return raised.value


def written(directory: Path, content: str | bytes, name: str = "file.yaml") -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
