"""Secrets in text that others write: in the message of an error, or in a library's line.

Our own lines name no value under a key that stands for a secret. Errors of libraries may quote what
they were given.
"""

from __future__ import annotations

import re

from engine.telemetry.redaction import REDACTED, is_secret

_KEY = re.compile(r"""([A-Za-z][\w.-]{0,99})["']?\s{0,3}[:=]\s{0,3}""")
_VALUE = re.compile(r"""(?:(?:Bearer|Basic)\s{1,3})?(?:"[^"]*"|'[^']*'|[^\s"',;&)}\]]+)""", re.I)
_USER_INFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@\"']+@")


def without_secrets(text: str) -> str:
    """`text` with the values of keys that name a secret, and the users of URLs, replaced."""
    if "://" in text:
        text = _USER_INFO.sub(rf"\g<scheme>{REDACTED}@", text)
    parts: list[str] = []
    end = 0
    for key in _KEY.finditer(text):
        # What looks like a key within a value that was replaced is gone with it.
        value = _VALUE.match(text, key.end())
        if key.start() >= end and value is not None and is_secret(key[1]):
            parts += [text[end : key.end()], REDACTED]
            end = value.end()
    return "".join([*parts, text[end:]])
