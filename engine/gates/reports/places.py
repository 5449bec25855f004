"""Where a finding is, written the same for every format, so that two reports can be compared.

Trivy calls a Java package `group:artifact`, Grype `artifact`, and a package URL has both parts
(https://github.com/package-url/purl-spec). What all have is the last part of the name and the
version, so a place is `name@version` of these.
"""

from __future__ import annotations

import re

from packageurl import PackageURL

_EPOCH = re.compile(r"^[0-9]+:")
_SEPARATORS = re.compile(r"[:/]")


def name_of(package: str) -> str:
    """The part of a package's name that all formats agree on."""
    return _SEPARATORS.split(package)[-1].lower().replace("_", "-")


def package(name: str, version: str) -> str:
    """The place of a package. An RPM's or Debian package's epoch is no part of it."""
    return f"{name_of(name)}@{_EPOCH.sub('', version)}"


def of_purl(purl: str) -> str | None:
    """The place that a package URL names; None when it is none."""
    try:
        parsed = PackageURL.from_string(purl)
    except ValueError:
        return None
    return package(parsed.name, parsed.version or "")


def matches(place: str, wanted: str) -> bool:
    """Whether `place` is meant by `wanted`, which may leave the version out."""
    return place == wanted or (wanted.endswith("@") and place.startswith(wanted))


def version_of(place: str) -> str:
    """The version in a package's place."""
    return place.rpartition("@")[2]
