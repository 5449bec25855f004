"""Reports of policy tests as JUnit XML, for CI systems.

The form is the common one of https://github.com/testmoapp/junitxml: a suite a file, a case a case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from xml.etree import ElementTree

from engine.policy.testing import CaseReport, FileReport

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets)."""


def junit(reports: Sequence[FileReport]) -> bytes:
    """The whole document, in UTF-8."""
    root = ElementTree.Element("testsuites", _counts([c for r in reports for c in r.cases]))
    for report in reports:
        name = _text(report.file)
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts(report.cases)})
        for case in report.cases:
            about = {
                "name": _text(case.name),
                "classname": f"{name}.{case.environment}",
                "time": f"{case.seconds:.6f}",
            }
            element = ElementTree.SubElement(suite, "testcase", about)
            if case.problems:
                failure = {"message": _text(case.problems[0])}
                told = ElementTree.SubElement(element, "failure", failure)
                told.text = _text("\n".join(case.problems))
    ElementTree.indent(root)
    written = BytesIO()
    ElementTree.ElementTree(root).write(written, encoding="utf-8", xml_declaration=True)
    return written.getvalue()


def _counts(cases: Sequence[CaseReport]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(not case.has_passed for case in cases)),
        "errors": "0",
        "time": f"{sum(case.seconds for case in cases):.6f}",
    }


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
