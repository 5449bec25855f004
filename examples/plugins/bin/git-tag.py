#!/usr/bin/env python3
"""A step: marks in git what has been promoted, by an annotated tag.

Needs git and Python's standard library, nothing of the promotion engine: it speaks the plugin
protocol, one JSON object on stdin and one on stdout. Done again, it finds its tag and is content.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

PROTOCOL = 1
REVISION = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "repository": {
            "type": "string",
            "pattern": "^/",
            "description": "absolute path of a clone or a bare repository on the worker",
        },
        "revision": {
            "type": "string",
            "pattern": REVISION,
            "maxLength": 200,
            "description": "what is tagged, such as a commit",
        },
        "tag": {
            "type": "string",
            "pattern": REVISION,
            "maxLength": 200,
            "description": "<environment>/<version> when left out",
        },
        "remote": {
            "type": "string",
            "pattern": REVISION,
            "maxLength": 200,
            "description": "where the tag is pushed; nowhere when left out",
        },
    },
    "required": ["repository", "revision"],
    "additionalProperties": False,
}
DESCRIPTION = {
    "protocol": PROTOCOL,
    "id": "git-tag",
    "version": "1.0.0",
    "description": "Tags what has been promoted.",
    "offers": [
        {
            "kind": "step",
            "name": "tag",
            "description": "Make an annotated tag, and push it.",
            "schema": SCHEMA,
            "timeout": "2m",
            "examples": [{"repository": "/srv/web.git", "revision": "v1.0.0"}],
        }
    ],
}


class RefusedError(Exception):
    """The call cannot be answered."""

    def __init__(self, type: str, message: str, *, retryable: bool = False) -> None:
        self.answer = {"type": type, "message": message, "retryable": retryable}
        super().__init__(message)


def answer(request: Any) -> dict[str, Any]:
    """The result of a call."""
    if not isinstance(request, dict) or request.get("protocol") != PROTOCOL:
        raise RefusedError("UnknownProtocol", f"only protocol {PROTOCOL} is spoken here")
    method = request.get("method")
    if method == "describe":
        return DESCRIPTION
    if method != "step.run":
        raise RefusedError("UnknownMethod", f"{method!r} is not offered")
    try:
        params, context = request["params"], request["context"]
        promotion, inputs = params["promotion"], _checked(params["inputs"])
        default = f"{promotion['environment']}/{promotion['release']['version']}"
        message = f"Promotion {promotion['id']}, requested by {promotion['requested_by']}"
    except (KeyError, TypeError) as error:
        raise RefusedError("InvalidInputs", f"{type(error).__name__}: {error}") from error
    tag = inputs.get("tag", default)
    if context.get("check"):
        return {"succeeded": True, "detail": f"would make the tag {tag}"}
    return _tag(inputs["repository"], inputs["revision"], tag, inputs.get("remote"), message)


def _tag(
    repository: str, revision: str, tag: str, remote: str | None, message: str
) -> dict[str, Any]:
    wanted = _commit(repository, f"{revision}^{{commit}}")
    if wanted is None:
        return {"succeeded": False, "detail": f"{repository} has no revision {revision}"}
    found = _commit(repository, f"refs/tags/{tag}^{{commit}}")
    if found is None:
        _git(repository, "tag", "--annotate", "--message", message, tag, wanted)
    elif found != wanted:
        told = f"the tag {tag} is on {found[:12]} already, not on {wanted[:12]}"
        return {"succeeded": False, "detail": told, "outputs": {"commit": found}}
    if remote is not None:
        _git(repository, "push", remote, f"refs/tags/{tag}")
    where = "" if remote is None else f", pushed to {remote}"
    return {
        "succeeded": True,
        "detail": f"{tag} on {wanted[:12]}{where}",
        "outputs": {"tag": tag, "commit": wanted, "made": found is None},
    }


def _checked(inputs: Any) -> dict[str, str]:
    """The inputs, once more: whoever runs this need not be the promotion engine."""
    known = SCHEMA["properties"]
    for name in ("repository", "revision"):
        if name not in inputs:
            raise RefusedError("InvalidInputs", f"{name} is missing")
    for name, value in inputs.items():
        rule = known.get(name)  # type: ignore[attr-defined]  # SCHEMA is plain JSON data
        if rule is None or not isinstance(value, str) or not re.search(rule["pattern"], value):
            raise RefusedError("InvalidInputs", f"{name} cannot be {value!r}")
    return dict(inputs)


def _commit(repository: str, revision: str) -> str | None:
    done = _run(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", revision)
    return done.stdout.strip() if done.returncode == 0 else None


def _git(repository: str, *arguments: str) -> None:
    done = _run(repository, *arguments)
    if done.returncode != 0:
        told = " ".join(done.stderr.split())[-300:]
        raise RefusedError("GitFailed", f"git {arguments[0]}: {told}", retryable=True)


def _run(repository: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not os.path.isdir(repository):  # noqa: PTH112  # the fewest imports start the fastest
        raise RefusedError("InvalidInputs", f"{repository} is no directory")
    identity = ("-c", "user.name=promotion engine", "-c", "user.email=promotion@localhost")
    command = ("git", "-C", repository, *identity, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> None:
    """Answer one call."""
    try:
        told: dict[str, Any] = {"result": answer(json.load(sys.stdin))}
    except RefusedError as refused:
        told = {"error": refused.answer}
    except (ValueError, RecursionError) as error:
        told = {"error": {"type": "NoJson", "message": f"stdin: {error}"}}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
