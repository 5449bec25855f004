"""The JSON Schema of a policy test file, for editors.

Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import Any

from engine.documents.schema import schema_of
from engine.policy.cases import PolicyTestFile


def policy_test_schema() -> dict[str, Any]:
    """The schema of a policy test file."""
    return schema_of(PolicyTestFile, "Policy test file of the promotion engine")
