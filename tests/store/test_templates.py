from __future__ import annotations

import asyncio

import pytest

from engine.documents.library import library_of
from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.base import Json
from engine.model.template import Node, Template
from engine.store.change import Change
from engine.store.store import Store
from engine.templates.include import written_out
from tests.store.samples import TENANT


def template(version: str = "1", name: str = "careful", *, node: str = "deploy") -> Template:
    return Template(name=name, version=version, nodes=(Node(id=node, type="deploy"),))


def including(name: str, version: str, *others: str) -> Template:
    nodes = tuple(
        Node(id=f"i{at}", type="include", inputs={"template": other})
        for at, other in enumerate(others)
    )
    return Template(name=name, version=version, nodes=nodes)


async def test_an_applied_template_comes_back_equal(store: Store) -> None:
    assert await store.templates.apply(TENANT, template()) is Change.CREATED
    found = await store.templates.get(TENANT, "careful")
    assert (found.template, found.sequence) == (template(), 1)
    assert found.digest == template().digest
    assert await store.templates.get(TENANT, "careful@1") == found


async def test_applying_a_version_again_changes_nothing(store: Store) -> None:
    await store.templates.apply(TENANT, template())
    assert await store.templates.apply(TENANT, template()) is Change.UNCHANGED
    assert len(await store.templates.list(TENANT)) == 1


async def test_a_version_with_other_contents_is_refused_and_the_first_stays(store: Store) -> None:
    await store.templates.apply(TENANT, template())
    with pytest.raises(ConflictError, match=r"careful@1 is applied already") as raised:
        await store.templates.apply(TENANT, template(node="other"))
    assert "a version of their own" in raised.value.remedy
    assert (await store.templates.get(TENANT, "careful")).template == template()


async def test_the_newest_is_the_one_applied_last_whatever_its_version_is_called(
    store: Store,
) -> None:
    for version in ("10", "9", "beta"):
        await store.templates.apply(TENANT, template(version))
    await store.templates.apply(TENANT, template("10"))
    assert (await store.templates.get(TENANT, "careful")).template.version == "beta"
    listed = [row.template.version for row in await store.templates.list(TENANT)]
    assert listed == ["beta", "9", "10"]


async def test_versions_applied_at_the_same_time_all_get_a_place(store: Store) -> None:
    await asyncio.gather(
        *(store.templates.apply(TENANT, template(str(number))) for number in range(8))
    )
    rows = await store.templates.list(TENANT)
    assert [row.sequence for row in rows] == list(range(8, 0, -1))
    assert {row.template.version for row in rows} == {str(number) for number in range(8)}


async def test_what_does_not_exist_is_told_with_what_does(store: Store) -> None:
    await store.templates.apply(TENANT, template("1"))
    await store.templates.apply(TENANT, template("2"))
    await store.templates.apply(TENANT, template(name="other"))
    with pytest.raises(NotFoundError, match=r"no template 'nope'; it has: careful, other"):
        await store.templates.get(TENANT, "nope")
    with pytest.raises(NotFoundError, match=r"'careful@3'; it has of careful: 1, 2"):
        await store.templates.get(TENANT, "careful@3")
    with pytest.raises(NotFoundError, match="no tenant 'nobody'"):
        await store.templates.get("nobody", "careful")


async def test_a_tenant_sees_its_own_only(store: Store) -> None:
    await store.templates.apply(TENANT, template())
    await store.templates.apply("others", template(node="theirs"))
    assert (await store.templates.get("others", "careful")).template == template(node="theirs")
    assert await store.templates.find(TENANT, ["careful"]) == [template()]
    assert await store.templates.references("others") == ["careful@1"]
    assert await store.templates.find("nobody", ["careful"]) == []
    assert await store.templates.references("nobody") == []


async def test_a_value_without_a_json_form_is_refused(store: Store) -> None:
    endless: dict[str, Json] = {"n": float("nan")}
    wrong = Template(name="t", nodes=(Node(id="a", type="http", inputs=endless),))
    with pytest.raises(InputError, match=r"template\.t: no canonical JSON form"):
        await store.templates.apply(TENANT, wrong)


async def test_a_library_has_what_its_templates_include_through_any_number_of_levels(
    store: Store,
) -> None:
    for each in (
        template("1", "base", node="old"),
        template("2", "base", node="new"),
        including("middle", "1", "base", "base@1"),
        including("top", "1", "middle"),
        including("a", "1", "b"),
        including("b", "1", "a"),
    ):
        await store.templates.apply(TENANT, each)
    library = await library_of(store.templates, TENANT, ["top", "a", "nowhere"])
    nodes = [node.id for node in written_out(library.find("top"), library).nodes]
    assert nodes == ["i0.i0.new", "i0.i1.old"]
    with pytest.raises(InputError, match="a cycle"):
        written_out(library.find("a"), library)
    with pytest.raises(NotFoundError, match="no template is called 'nowhere'"):
        library.find("nowhere")


async def test_of_what_is_about_to_be_applied_only_what_is_new_is_the_newest(store: Store) -> None:
    for version in ("1", "2"):
        await store.templates.apply(TENANT, template(version))
    again = await library_of(store.templates, TENANT, (), [template("1")])
    assert again.find("careful").version == "2"
    new = await library_of(store.templates, TENANT, ["careful@1"], [template("3")])
    assert new.find("careful").version == "3"
    assert new.find("careful@1").version == "1"
    with pytest.raises(NotFoundError, match=r"no version '7'; versions: 1, 2, 3"):
        new.find("careful@7")
