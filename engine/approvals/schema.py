"""The JSON Schema of what is signed (https://json-schema.org/draft/2020-12/schema)."""

from __future__ import annotations

import json

from engine.approvals.statement import PREDICATE_TYPE, ApprovalStatement


def approval_schema() -> str:
    """The schema as it is published in docs/schemas: indented JSON that ends with a newline."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PREDICATE_TYPE,
        **ApprovalStatement.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
