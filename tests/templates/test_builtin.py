from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.model.template import Node, Template
from engine.templates.builtin import names, resolve
from engine.templates.validate import check


@pytest.mark.parametrize("name", names())
def test_every_built_in_template_is_valid_and_bears_its_name(name: str) -> None:
    template = resolve(name)
    check(template, groups={})
    assert template.name == name


def test_the_standard_template_checks_asks_and_deploys_in_that_order() -> None:
    standard = resolve("standard")
    assert [(node.type, node.needs) for node in standard.nodes] == [
        ("security-check", ()),
        ("approval", ("security-check",)),
        ("deploy", ("approval",)),
    ]


def test_a_template_that_is_written_out_is_itself() -> None:
    own = Template(name="own", nodes=(Node(id="deploy", type="deploy"),))
    assert resolve(own) is own


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'standrad'.*standard") as caught:
        resolve("standrad")
    assert caught.value.field == "template"
