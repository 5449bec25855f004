from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.canonical import digest_of_bytes
from engine.model.release import Release
from engine.store.change import Change
from engine.store.database import Database
from engine.store.store import Store
from tests.store.counting import statements
from tests.store.samples import REPORT, TENANT, after, contents, definition, release


async def test_a_registered_release_comes_back_equal_by_name_and_by_id(store: Store) -> None:
    wanted = release()
    assert await store.releases.register(TENANT, wanted, contents()) is Change.CREATED
    for ref in ("shop@1.4.0", str(wanted.id), wanted.id.hex):
        found = await store.releases.get(TENANT, ref)
        assert found == wanted
        assert found.digest == wanted.digest


async def test_registering_the_same_again_changes_nothing(store: Store) -> None:
    await store.releases.register(TENANT, release(), contents())
    assert await store.releases.register(TENANT, release(), contents()) is Change.UNCHANGED
    assert await store.releases.list(TENANT) == [release()]


async def test_the_same_version_with_other_contents_is_refused_and_the_first_stays(
    store: Store,
) -> None:
    await store.releases.register(TENANT, release(), contents())
    with pytest.raises(ConflictError, match=r"shop@1\.4\.0 is registered with other contents"):
        await store.releases.register(TENANT, release(contents=b"evil"), contents())
    assert await store.releases.get(TENANT, "shop@1.4.0") == release()


async def test_attachments_are_stored_once_and_read_by_digest(
    store: Store, database: Database
) -> None:
    large = bytes(range(256)) * 8192
    await store.releases.register(TENANT, release("1"), contents())
    await store.releases.register(TENANT, release("2"), contents())
    await store.releases.register(TENANT, release("3", report=large), contents(large))
    assert await store.releases.attachment(digest_of_bytes(REPORT)) == REPORT
    assert await store.releases.attachment(digest_of_bytes(large)) == large
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM attachments")) == 2


async def test_an_attachment_altered_in_the_database_is_not_handed_out(
    store: Store, database: Database
) -> None:
    await store.releases.register(TENANT, release(), contents())
    async with database.write() as session:
        await session.execute(text("UPDATE attachments SET content = :it"), {"it": b"clean"})
    with pytest.raises(ConflictError, match="what is stored as sha256:"):
        await store.releases.attachment(digest_of_bytes(REPORT))


async def test_an_unknown_attachment_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no document sha256:"):
        await store.releases.attachment(digest_of_bytes(b"never"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, r"components\.web\.attachments: the bytes of 'scan\.json'"),
        ({digest_of_bytes(REPORT): b"other"}, "'scan.json' is sha256:"),
    ],
)
async def test_a_release_is_registered_with_all_its_documents_or_not_at_all(
    store: Store, given: dict[str, bytes], problem: str
) -> None:
    await store.releases.register(TENANT, release("0"), contents())
    with pytest.raises(InputError, match=problem):
        await store.releases.register(TENANT, release(), given)
    with pytest.raises(NotFoundError):
        await store.releases.get(TENANT, "shop@1.4.0")


async def test_an_attachments_size_must_be_that_of_its_bytes(store: Store) -> None:
    [web, api] = release().components
    wrong = web.attachments[0].model_copy(update={"size": 3})
    component = web.model_copy(update={"attachments": (wrong,)})
    lying = release().model_copy(update={"components": (component, api)})
    with pytest.raises(InputError, match=f"has {len(REPORT)} bytes, not 3"):
        await store.releases.register(TENANT, lying, contents())


async def test_two_components_of_one_name_are_refused(store: Store) -> None:
    [web, _] = release().components
    twice = release().model_copy(update={"components": (web, web)})
    with pytest.raises(InputError, match="'web' is given twice"):
        await store.releases.register(TENANT, twice, contents())


@pytest.mark.parametrize("ref", ["shop@9.9.9", "shop@1", "52de3ec6-bf62-4855-82e7-50b5915232ad"])
async def test_an_unknown_release_is_answered_with_the_command_that_registers_it(
    store: Store, ref: str
) -> None:
    await store.releases.register(TENANT, release(), contents())
    with pytest.raises(NotFoundError, match="promote release register -f FILE") as caught:
        await store.releases.get(TENANT, ref)
    assert caught.value.field == "release"


@pytest.mark.parametrize("ref", ["shop", "@1", "shop@", "", "1.4.0"])
async def test_what_names_no_release_is_answered_with_how_to_write_one(
    store: Store, ref: str
) -> None:
    await store.environments.apply(definition())
    with pytest.raises(InputError, match="write NAME@VERSION"):
        await store.releases.get(TENANT, ref)


async def test_a_tenant_sees_only_its_own_releases(store: Store) -> None:
    theirs = release(tenant="globex")
    await store.releases.register(TENANT, release(), contents())
    await store.releases.register("globex", theirs, contents())
    assert await store.releases.list("globex") == [theirs]
    with pytest.raises(NotFoundError):
        await store.releases.get(TENANT, str(theirs.id))
    with pytest.raises(NotFoundError, match="no tenant 'nobody'"):
        await store.releases.list("nobody")


async def test_the_list_is_newest_first_in_pages_with_constant_statements(
    store: Store, database: Database
) -> None:
    releases: list[Release] = [release(f"1.{number}") for number in range(5)]
    for moment, item in enumerate(releases):
        await store.releases.register(TENANT, item, contents(), at=after(moment))
    with statements(database) as few:
        assert await store.releases.list(TENANT, limit=1) == [releases[4]]
    with statements(database) as many:
        assert await store.releases.list(TENANT) == releases[::-1]
    assert len(few) == len(many)
    assert await store.releases.list(TENANT, limit=2, offset=1) == [releases[3], releases[2]]


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (1, -1)])
async def test_a_page_that_is_none_is_refused(store: Store, limit: int, offset: int) -> None:
    with pytest.raises(InputError, match=r"limit|offset"):
        await store.releases.list(TENANT, limit, offset)
