"""The package of a vulnerability in SARIF, from the texts that Trivy and Grype write.

SARIF has no field for it.

Source: https://github.com/aquasecurity/trivy/blob/main/pkg/report/sarif.go and
https://github.com/anchore/grype/blob/main/grype/presenter/sarif/presenter.go
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.gates.reports import places
from engine.gates.reports.sarif_log import Result, Rule

_TRIVY_FIELDS = re.compile(r"^(Package|Installed Version|Fixed Version): (.*)$", re.MULTILINE)
_GRYPE_PACKAGE = re.compile(
    r"^An? \S+ vulnerability in \S* ?package: (?P<name>.+), version (?P<version>.*?) was found",
    re.DOTALL,
)
_GRYPE_FIX = re.compile(r"^Fix Version: (.*)$", re.MULTILINE)
_LONGEST = 2000
"""Characters of a text that are looked at; longer ones are not theirs, and slow to match."""


class PackageInSarif(NamedTuple):
    """A vulnerable package.

    Attributes:
        id: the vulnerability's.
        fixed: the version with the fix; empty for none.
    """

    id: str
    name: str
    version: str
    fixed: str

    @property
    def place(self) -> str:
        """The same as in other formats."""
        return places.package(self.name, self.version)


def package_of(tool: str, id: str, result: Result, rule: Rule | None) -> PackageInSarif | None:
    """The package that a result is about; None when it is about another thing, or untold."""
    match tool.lower():
        case "trivy":
            return _of_trivy(id, result)
        case "grype":
            return _of_grype(id, result, rule)
        case _:
            return None


def _of_trivy(id: str, result: Result) -> PackageInSarif | None:
    fields = dict(_TRIVY_FIELDS.findall(result.message.text[:_LONGEST]))
    if not fields.get("Package") or "Installed Version" not in fields:
        return None
    return PackageInSarif(
        id,
        fields["Package"].strip(),
        fields["Installed Version"].strip(),
        fields.get("Fixed Version", "").strip(),
    )


def _of_grype(id: str, result: Result, rule: Rule | None) -> PackageInSarif | None:
    found = _GRYPE_PACKAGE.match(result.message.text[:_LONGEST])
    if found is None:
        return None
    name = found["name"]
    help = rule.help.text[:_LONGEST] if rule is not None and rule.help is not None else ""
    fix = _GRYPE_FIX.search(help)
    # Grype's rules are pairs of vulnerability and package.
    return PackageInSarif(
        id.removesuffix(f"-{name}"), name, found["version"], fix[1].strip() if fix else ""
    )
