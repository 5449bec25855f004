from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from engine.documents.definitions import Definitions, checked, read_definitions
from engine.documents.lint import lint
from engine.errors import InputError
from engine.model.environment import EnvironmentDefinition
from tests.documents.files import problem_of, written

TEMPLATE = """\
tenant: acme
name: careful
version: "3"
parameters: {speed: {type: integer, default: 1}}
nodes: [{id: deploy, type: deploy}]
"""
ENVIRONMENTS = """\
tenant: acme
environments:
  - name: staging
    template: careful
    parameters: {speed: 2}
    targets: [{name: web-1, agent: east}]
"""


def files(directory: Path, *contents: str) -> list[Path]:
    return [written(directory, text, f"{at}.yaml") for at, text in enumerate(contents)]


def read(directory: Path, *contents: str) -> Definitions:
    return checked(read_definitions(files(directory, *contents)))


def environment(definitions: Definitions) -> EnvironmentDefinition:
    (definition,) = definitions.environments
    return definition


@pytest.mark.parametrize("name", ["careful", "careful@3"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_environment_names_a_template_of_another_file_in_any_order(
    tmp_path: Path, name: str, is_first: bool
) -> None:
    environments = ENVIRONMENTS.replace("template: careful", f"template: {name}")
    both = (TEMPLATE, environments) if is_first else (environments, TEMPLATE)

    found = read(tmp_path, *both)

    assert [(tenant, each.version) for tenant, each in found.templates] == [("acme", "3")]
    assert environment(found).environment.template_ref == name
    assert environment(found).environment.template.name == "careful"
    assert environment(found).environment.parameters == {"speed": 2}


def test_a_built_in_template_is_fixed_when_it_is_applied(tmp_path: Path) -> None:
    content = ENVIRONMENTS.replace("template: careful\n    parameters: {speed: 2}", "order: 2")

    found = environment(read(tmp_path, content)).environment

    assert (found.template.name, found.template_ref) == ("standard", None)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("template: careful", "template: carefull", "4:5: environments[0].template",
         "did you mean 'careful'?"),
        ("template: careful", "template: careful@9", "4:5: environments[0].template",
         "has no version '9'; versions: 3"),
        ("speed: 2", "speed: fast", "5:18: environments[0].parameters.speed", "whole number"),
        ("speed: 2", "sped: 2", "5:18: environments[0].parameters.sped", "did you mean 'speed'?"),
        ("tenant: acme", "tenant: other", "4:5: environments[0].template", "'careful'"),
        ("order: 0", "auto: {after: nowhere}", "6:12: environments[0].auto.after",
         "no environment 'nowhere'"),
    ],
)  # fmt: skip
def test_an_environment_is_held_against_the_template_that_it_names(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    content = ENVIRONMENTS.replace("    targets:", "    order: 0\n    targets:").replace(old, new)

    error = problem_of(lambda: read(tmp_path, TEMPLATE, content))

    assert error.field == f"{tmp_path / '1.yaml'}:{place}"
    assert words in str(error)


def test_what_starts_by_itself_needs_values_for_all_parameters(tmp_path: Path) -> None:
    more = (
        "    auto: {after: first}\n    targets: [{name: web-1, agent: east}]\n  - name: first\n"
        "    targets: [{name: web-1, agent: west}]\n"
    )
    content = ENVIRONMENTS.replace("    targets: [{name: web-1, agent: east}]\n", more)
    template = TEMPLATE.replace("default: 1}", "default: 1}, url: {}")

    error = problem_of(lambda: read(tmp_path, template, content))

    assert error.field == f"{tmp_path / '1.yaml'}:5:5: environments[0].parameters.url"
    assert "auto: gives none" in error.problem
    read(tmp_path, template, content.replace("speed: 2", "speed: 2, url: x"))


def test_a_groups_of_a_named_templates_steps_are_those_of_the_environment(tmp_path: Path) -> None:
    asking = "type: approval, inputs: {required: 1, groups: [leads]}"
    template = TEMPLATE.replace("type: deploy", asking)

    error = problem_of(lambda: read(tmp_path, template, ENVIRONMENTS))

    assert "of the template 'careful' nodes.deploy.inputs.groups" in error.problem
    people = ENVIRONMENTS.replace("environments:", "groups: {leads: [ann]}\nenvironments:")
    read(tmp_path, template, people)


@pytest.mark.parametrize(
    ("contents", "field", "words"),
    [
        ([TEMPLATE, TEMPLATE], "1.yaml:2:1: name", "the template 'careful@3' too"),
        ([TEMPLATE, ENVIRONMENTS, ENVIRONMENTS], "2.yaml:2:1: environments",
         "the environment 'staging' too"),
        ([TEMPLATE.replace("careful", "standard")], "0.yaml:2:1: name", "built-in template"),
    ],
)  # fmt: skip
def test_files_that_contradict_each_other_are_refused(
    tmp_path: Path, contents: list[str], field: str, words: str
) -> None:
    error = problem_of(lambda: read(tmp_path, *contents))

    assert error.field == f"{tmp_path}/{field}"
    assert words in error.problem


def test_linting_tells_of_every_file_and_needs_no_other_environments(tmp_path: Path) -> None:
    automatic = ENVIRONMENTS.replace("    targets", "    auto: {after: elsewhere}\n    targets")
    wrong = TEMPLATE.replace("careful", "sloppy").replace("type: deploy", "type: x")
    paths = files(tmp_path, TEMPLATE, automatic, wrong, "a: [")

    results = dict(lint(paths))

    assert [results[path] is None for path in paths] == [True, True, False, False]
    assert isinstance(results[paths[2]], InputError)
    assert isinstance(results[paths[3]], InputError)


def test_the_template_in_the_documentation_is_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
    begin = text.index("    name: careful")
    block = text[begin : text.index("\n\n##", begin)]

    ((_, error),) = lint([written(tmp_path, textwrap.dedent(block))])

    assert error is None
