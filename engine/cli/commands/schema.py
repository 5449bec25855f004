"""`promote schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from engine.cli.console import out_json


class Kind(StrEnum):
    """The kinds of files that people write."""

    TEMPLATE = "template"
    ENVIRONMENT = "environment"
    RELEASE = "release"
    POLICY_TEST = "policy-test"


def schema(
    kind: Annotated[Kind, typer.Argument(help="Which kind of file.", show_default=False)],
) -> None:
    """Print the JSON Schema of a kind of file, for editors, with what is installed here.

    In editors with the YAML language server, the first line of a file names it:
    `# yaml-language-server: $schema=template.json`
    """
    from engine.documents.schema import environment_schema, release_schema, template_schema
    from engine.policy.schema import policy_test_schema

    schemas = {
        Kind.TEMPLATE: template_schema,
        Kind.ENVIRONMENT: environment_schema,
        Kind.RELEASE: release_schema,
        Kind.POLICY_TEST: policy_test_schema,
    }
    out_json(schemas[kind]())
