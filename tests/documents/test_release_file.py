from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from engine.documents import release_file
from engine.documents.release_file import load_release
from engine.errors import InputError
from engine.model.identity import release_id, tenant_id
from engine.model.release import AttachmentFormat
from tests.documents.files import problem_of, written

ARTIFACT = b"the bytes of a small web service\n" * 1000
REPORT = b'{"SchemaVersion": 2, "Results": []}'
DIGEST = f"sha256:{hashlib.sha256(ARTIFACT).hexdigest()}"
OTHER = "sha256:" + "0" * 64

RELEASE = """\
tenant: acme
name: shop
version: 1.2.0-rc.1
components:
  - name: web
    artifact: dist/web server.tar.gz
    attachments:
      - {path: scan.json, format: trivy-json}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "web server.tar.gz").write_bytes(ARTIFACT)
    (tmp_path / "scan.json").write_bytes(REPORT)
    return tmp_path


def refused(directory: Path, content: str) -> InputError:
    path = written(directory, content)
    return problem_of(lambda: load_release(path))


def with_artifact(*lines: str) -> str:
    return RELEASE.replace("artifact: dist/web server.tar.gz", "\n    ".join(lines))


def test_a_file_becomes_a_release_with_its_attachments(directory: Path) -> None:
    loaded = load_release(written(directory, RELEASE))

    release = loaded.release
    (component,) = release.components
    (attachment,) = component.attachments
    assert loaded.tenant == "acme"
    assert release.ref == "shop@1.2.0-rc.1"
    assert release.tenant_id == tenant_id("acme")
    assert release.id == release_id(tenant_id("acme"), "shop", "1.2.0-rc.1")
    assert component.artifact == (directory / "dist" / "web server.tar.gz").resolve().as_uri()
    assert component.digest == DIGEST
    assert (attachment.name, attachment.format) == ("scan.json", AttachmentFormat.TRIVY_JSON)
    assert attachment.size == len(REPORT)
    assert loaded.attachments == {attachment.digest: REPORT}
    assert attachment.digest == f"sha256:{hashlib.sha256(REPORT).hexdigest()}"


def test_paths_are_relative_to_the_file_and_not_to_the_caller(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(directory, RELEASE)
    monkeypatch.chdir(directory / "dist")

    assert load_release(Path("../file.yaml")).release.components[0].digest == DIGEST


def test_an_absolute_file_uri_is_a_local_file(directory: Path) -> None:
    uri = (directory / "dist" / "web server.tar.gz").as_uri()
    content = with_artifact(f"artifact: {uri}", f"digest: {DIGEST}")

    component = load_release(written(directory, content)).release.components[0]

    assert (component.artifact, component.digest) == (uri, DIGEST)


def test_a_remote_artifact_is_taken_with_its_digest(directory: Path) -> None:
    content = with_artifact("artifact: https://example.org/web.tar.gz", f"digest: {OTHER}")

    component = load_release(written(directory, content)).release.components[0]

    assert (component.artifact, component.digest) == ("https://example.org/web.tar.gz", OTHER)


def test_an_image_reference_brings_its_digest(directory: Path) -> None:
    content = with_artifact(f'artifact: "oci://registry.example.org/web@{OTHER}"')

    assert load_release(written(directory, content)).release.components[0].digest == OTHER


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        (["artifact: dist/none.tar.gz"], "6:5: components[0].artifact", "there is no file"),
        (["artifact: dist"], "6:5: components[0].artifact", "not a regular file"),
        (["artifact: /dev/zero"], "6:5: components[0].artifact", "not a regular file"),
        (["artifact: file:///none"], "6:5: components[0].artifact", "there is no file"),
        (["artifact: file://host/none"], "6:5: components[0].artifact", "URI of a local file"),
        (['artifact: "file://["'], "6:5: components[0].artifact", "not a URI"),
        (['artifact: "a\\0b"'], "6:5: components[0].artifact", "not a usable path"),
        (["artifact: " + "x" * 5000], "6:5: components[0].artifact", "not a usable path"),
        (["artifact: loop"], "6:5: components[0].artifact", "not a usable path"),
        (["artifact: ftp://host/x"], "6:5: components[0].artifact", "unknown scheme 'ftp'"),
        (["artifact: https:///x"], "6:5: components[0].artifact", "without a host"),
        (['artifact: "https://["'], "6:5: components[0].artifact", "without a host"),
        (["artifact: https://host/x"], "5:5: components[0].digest", "is missing"),
        (["artifact: dist/web server.tar.gz", f"digest: {OTHER}"], "7:5: components[0].digest",
         DIGEST),
        (["artifact: dist/web server.tar.gz", "digest: sha256:12"], "7:5: components[0].digest",
         "is not a digest"),
        ([f'artifact: "oci://host/x@{OTHER}"', f"digest: {DIGEST}"], "7:5: components[0].digest",
         "differs"),
    ],
)  # fmt: skip
def test_a_wrong_artifact_is_refused_with_its_line(
    directory: Path, lines: list[str], place: str, words: str
) -> None:
    (directory / "loop").symlink_to("loop")

    error = refused(directory, with_artifact(*lines))

    assert error.field == f"{directory / 'file.yaml'}:{place}"
    assert words in error.problem
    assert error.remedy


def test_a_password_in_a_uri_is_refused_and_not_repeated(directory: Path) -> None:
    lines = ("artifact: https://ci:hunter2@example.org/x", f"digest: {OTHER}")

    error = refused(directory, with_artifact(*lines))

    assert "user name or password" in error.problem
    assert "hunter2" not in str(error)


def test_an_attachment_is_read_up_to_its_limit(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = release_file.MAX_ATTACHMENT_BYTES
    assert limit == 32 * 1024 * 1024
    with (directory / "scan.json").open("wb") as file:
        file.truncate(limit)

    (content,) = load_release(written(directory, RELEASE)).attachments.values()

    assert len(content) == limit
    with (directory / "scan.json").open("ab") as file:
        file.write(b"x")
    assert "larger than 32 MiB" in refused(directory, RELEASE).problem


def test_everything_wrong_is_listed_at_once(directory: Path) -> None:
    (directory / "scan.json").rename(directory / "other.json")
    content = (
        with_artifact("artifact: nothing")
        + "  - {name: web, artifact: https://host/x}\n"
        + "  - {name: api, artifact: 'dist/web server.tar.gz', attachments: "
        + "[{path: other.json, format: other}, {path: ./other.json, format: other}]}\n"
    )

    error = refused(directory, content)

    lines = error.problem.splitlines()
    assert lines[0] == "5 problems"
    assert [line.split(": ")[1] for line in lines[1:]] == [
        "components[0].artifact",
        "components[0].attachments[0].path",
        "components[1].digest",
        "components[1].name",
        "components[2].attachments[1].path",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(directory: Path) -> None:
    (directory / "scan.json").chmod(0)

    assert "cannot be read" in refused(directory, RELEASE).problem
