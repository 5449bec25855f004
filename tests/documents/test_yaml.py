from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.documents import yaml
from engine.errors import InputError
from engine.model.base import Json
from engine.model.environment import EnvironmentFile
from engine.model.release import ReleaseDocument
from tests.documents.files import ENVIRONMENTS, problem_of, written


def test_a_valid_file_becomes_the_model(tmp_path: Path) -> None:
    document = yaml.load(written(tmp_path, ENVIRONMENTS), EnvironmentFile)

    assert [each.name for each in document.environments] == ["staging", "production"]
    assert document.environments[1].targets[0].labels == {"zone": "a"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1.5e3", 1500.0),
        ("12:30:00", "12:30:00"),
        ("2026-12-24", "2026-12-24"),
        ("2026-12-24T00:00:00+01:00", "2026-12-24T00:00:00+01:00"),
        ("9007199254740991", 2**53 - 1),
        ("'9007199254740992'", "9007199254740992"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(tmp_path: Path, text: str, value: Json) -> None:
    assert yaml.read(written(tmp_path, f"a: {text}\n")).data == {"a": value}


def test_a_directive_for_an_older_version_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "%YAML 1.1\n---\na: [yes, off, 012]\n")

    assert yaml.read(path).data == {"a": ["yes", "off", 12]}


def test_an_alias_repeats_a_value(tmp_path: Path) -> None:
    source = yaml.read(written(tmp_path, "a: &x {b: [1]}\nc: *x\n"))

    assert source.data == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert yaml.read(written(tmp_path, b"\xef\xbb\xbfa: 1\n")).data == {"a": 1}


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed"),
        ("a: [1, 2\n", 2, "not well-formed YAML"),
        ("a:\n\t- 1\n", 2, "not well-formed YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "already given on line 1"),
        ("a:\n  b: 1\n  'b': 2\n", 3, "already given on line 2"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: 1\nb: *nowhere\n", 2, "undefined alias *nowhere"),
        ("a: 1\nb: &x [*x]\n", 2, "contains itself"),
        ("a: 1\nb: !secret x\n", 2, "tag '!secret' is not supported"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "is not supported"),
        ("a: 1\nb: !!binary aGk=\n", 2, "is not supported"),
        ("a: 1\nb: !!set {x}\n", 2, "is not supported"),
        ("a: 1\n<<: {b: 2}\n", 2, "'<<' merges"),
        ("a: 1\n2: b\n", 2, "a key must be text"),
        ("a: 1\n[x]: b\n", 2, "a key must be text"),
        ("a: 1\nb: .inf\n", 2, "not a finite number"),
        ("a: 1\nb: 1e999\n", 2, "beyond what JSON can hold"),
        ("a: 1\nb: 9007199254740992\n", 2, "beyond what JSON can hold"),
        ("a: 1\nb: " + "9" * 5000 + "\n", 2, "beyond what JSON can hold"),
        ('a: 1\nb: "\\uD800"\n', 2, "invalid Unicode"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        ("a: 1\nb: " + "[" * 70 + "]" * 70 + "\n", 2, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_column(
    tmp_path: Path, content: str | bytes, line: int, words: str
) -> None:
    path = written(tmp_path, content)

    error = problem_of(lambda: yaml.read(path))

    assert re.match(rf"{re.escape(str(path))}:{line}:[1-9][0-9]*(: |$)", error.field)
    assert words in error.problem
    assert error.remedy


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)

    error = problem_of(lambda: yaml.read(path))

    assert (error.field, error.problem) == (f"{path}:1:1", "is empty")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in problem_of(lambda: yaml.read(tmp_path / "none.yaml")).problem


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in problem_of(lambda: yaml.read(tmp_path)).problem


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "not a regular file" in problem_of(lambda: yaml.read(tmp_path / "pipe")).problem


def test_the_size_limit_is_exact(tmp_path: Path) -> None:
    within = "a: 1\n#" + "x" * (yaml.MAX_BYTES - 6)

    assert yaml.read(written(tmp_path, within)).data == {"a": 1}
    path = written(tmp_path, within + "x")
    assert "larger than 1024 KiB" in problem_of(lambda: yaml.read(path)).problem


def test_aliases_cannot_multiply_without_end(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path = written(tmp_path, "\n".join(levels))

    assert "too many values" in problem_of(lambda: yaml.read(path)).problem


def test_very_deep_nesting_is_refused_and_not_overflown(tmp_path: Path) -> None:
    path = written(tmp_path, "[" * 20_000)

    assert "nested too deeply" in problem_of(lambda: yaml.read(path)).problem


def test_every_problem_is_listed_with_its_own_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
tenant: Acme Corp
environments:
  - name: staging
    strategy: {type: rolling, batch_size: 0%}
    targets:
      - name: web-1
        agnet: east
      - name: 5
        agent: west
        surprise: 1
""",
    )

    error = problem_of(lambda: yaml.load(path, EnvironmentFile))

    assert error.field == str(path)
    assert error.problem.splitlines() == [
        "5 problems",
        f"  {path}:1:1: tenant: 'Acme Corp' is not a name; use up to 63 lower-case letters, "
        "digits, '.', '_' and '-', with a letter or digit at both ends",
        f"  {path}:4:31: environments[0].strategy.batch_size: must be a whole number, but is '0%' "
        "or '0%' is not a percentage; write a whole number or write 1% to 100%",
        f"  {path}:7:9: environments[0].targets[0].agnet: is not a known field; "
        "did you mean 'agent'?",
        f"  {path}:8:9: environments[0].targets[1].name: must be text, but is 5; put it in quotes",
        f"  {path}:10:9: environments[0].targets[1].surprise: is not a known field; remove it; "
        "known here: agent, component, config, driver, labels, name",
    ]


@pytest.mark.parametrize(
    ("changed", "to", "line", "field", "problem"),
    [
        ("template: standard", "template: 5", 3, "template", "must be text, but is 5"),
        ("template: standard", "template: {name: x}", 3, "template.nodes", "is missing"),
        ("template: standard", "template: [x]", 3, "template", "must be text, but is a list"),
        ("sampling: 1", "sampling: 2", 4, "sampling", "must be at most 1, but is 2"),
        ("sampling: 1", "sampling: much", 4, "sampling", "must be a number, but is 'much'"),
        ("type: rolling", "type: fast", 5, "strategy", "has the type 'fast'"),
        ("type: rolling", "kind: rolling", 5, "strategy", "has no field 'type'"),
        ("order: 1", "order: x", 6, "order", "must be a whole number, but is 'x'"),
        ("targets: [", "targets: [], x: [", 7, "targets", "needs at least 1 entry"),
        ("targets: [", "targets: {x: 1}, x: [", 7, "targets", "must be a list, but is a mapping"),
    ],
)
def test_problems_are_told_in_plain_words(
    tmp_path: Path, changed: str, to: str, line: int, field: str, problem: str
) -> None:
    content = """\
environments:
  - {name: staging,
     template: standard,
     sampling: 1,
     strategy: {type: rolling},
     order: 1,
     targets: [{name: a, agent: b}]}
"""
    assert changed in content
    path = written(tmp_path, content.replace(changed, to))

    error = problem_of(lambda: yaml.load(path, EnvironmentFile))

    column = content.splitlines()[line - 1].index(field.partition(".")[0]) + 1
    assert f"{path}:{line}:{column}: environments[0].{field}: {problem}" in str(error)


def test_a_bad_key_is_shown_quoted(tmp_path: Path) -> None:
    path = written(tmp_path, ENVIRONMENTS.replace("leads: [ann", "Team A: [ann"))

    error = problem_of(lambda: yaml.load(path, EnvironmentFile))

    assert error.field == f'{path}:3:3: groups["Team A"]'


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    target = "      - {name: web-%06d, agent: agent-%06d}\n"
    head = "environments:\n  - name: production\n    targets:\n"
    count = (yaml.MAX_BYTES - len(head)) // len(target % (0, 0))
    path = written(tmp_path, head + "".join(target % (i, i) for i in range(count)))

    document = yaml.load(path, EnvironmentFile)

    assert len(document.environments[0].targets) == count


TOKENS = st.sampled_from(
    [*"[]{},:-?&*!|>'\"%@`#\n\t ", "  ", "\n- ", "\n  ", ": ", "&a ", "*a", "<<", "!!str ", "...",
     "---", "\\x", "\\U00", "tenant", "environments", "targets", "name", "agent", "gates", "nan",
     "1e9999", "0x", "2026-01-01", "\u2028", "\x00", "\ufeff"]
)  # fmt: skip
ANYTHING = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(TOKENS, max_size=60).map(lambda tokens: "".join(tokens).encode()),
    st.tuples(
        st.integers(0, len(ENVIRONMENTS)), st.integers(0, 12), st.lists(TOKENS, max_size=4)
    ).map(
        lambda cut: (
            ENVIRONMENTS[: cut[0]] + "".join(cut[2]) + ENVIRONMENTS[cut[0] + cut[1] :]
        ).encode()
    ),
)


@settings(max_examples=600, deadline=None)
@given(content=ANYTHING)
@example(content=b'"\\UFFFFFFFF"')
@example(content=b"%YAML 1.1\n---\na: yes\n")
@example(content=b"%YAML 9.9\n---\na: 1\n")
@example(content=b"a: !!int x\n")
@example(content=b"a: !!int 0b1\n")
@example(content=b"a: !!float x\n")
@example(content=b"a: !!bool x\n")
@example(content=b"!!map [a]\n")
def test_any_bytes_give_a_value_or_an_input_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = written(Path(directory), content)
        for model in (EnvironmentFile, ReleaseDocument):
            refusal: InputError | None = None
            try:
                value = yaml.load(path, model)
            except InputError as error:
                refusal = error
            assert str(path) in refusal.field if refusal else isinstance(value, model)
