from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from engine.approvals.schema import approval_schema
from engine.approvals.statement import PREDICATE_TYPE, Word, statement_of
from tests.approvals.voters import asking
from tests.gates.builders import NOON

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "approval-statement-v0.1.json"


def test_published_schema_is_that_of_the_models() -> None:
    assert PUBLISHED.read_text() == approval_schema(), (
        "write engine.approvals.schema.approval_schema() to docs/schemas, "
        "and see that fields were only added"
    )
    assert json.loads(PUBLISHED.read_text())["$id"] == PREDICATE_TYPE


@pytest.mark.parametrize("word", list(Word))
@pytest.mark.parametrize("on_behalf_of", [None, "carol"])
def test_what_is_signed_fits_it_and_nothing_less_does(word: Word, on_behalf_of: str | None) -> None:
    about = asking({"users": ["bob"]})
    statement = statement_of(about, word, "bob", on_behalf_of=on_behalf_of, signed_at=NOON)
    document = json.loads(statement.canonical())
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    validator.validate(document)
    for field in ("word", "user", "promotion", "release", "environment", "binding", "signedAt"):
        lacking = json.loads(statement.canonical())
        del lacking["predicate"][field]
        assert not validator.is_valid(lacking)
