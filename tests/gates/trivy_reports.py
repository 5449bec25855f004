"""Scan reports in the form in which Trivy writes them."""

from __future__ import annotations

import json
from typing import Any


def vulnerability(id: str, severity: str, package: str = "libssl3") -> dict[str, Any]:
    return {
        "VulnerabilityID": id,
        "PkgID": f"{package}@3.0.11-1",
        "PkgName": package,
        "PkgIdentifier": {"PURL": f"pkg:deb/debian/{package}@3.0.11-1?arch=amd64"},
        "InstalledVersion": "3.0.11-1",
        "FixedVersion": "3.0.13-1",
        "Status": "fixed",
        "Layer": {"DiffID": "sha256:" + "0" * 64},
        "SeveritySource": "nvd",
        "PrimaryURL": f"https://avd.aquasec.com/nvd/{id.lower()}",
        "DataSource": {"ID": "debian", "Name": "Debian Security Tracker"},
        "Title": "openssl: denial of service",
        "Severity": severity,
        "CweIDs": ["CWE-400"],
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L", "V3Score": 7.5}},
        "References": ["https://www.openssl.org/news/secadv/20240125.txt"],
        "PublishedDate": "2024-01-25T17:15:00Z",
    }


def document(*vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    results: list[dict[str, Any]] = [
        {
            "Target": "registry.example/web:1.0 (debian 12.4)",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": list(vulnerabilities),
        },
        {"Target": "app/requirements.txt", "Class": "lang-pkgs", "Type": "pip"},
        {
            "Target": "app/Dockerfile",
            "Class": "config",
            "Type": "dockerfile",
            "MisconfSummary": {"Successes": 20, "Failures": 1},
            "Misconfigurations": [{"ID": "DS002", "Severity": "CRITICAL", "Status": "FAIL"}],
        },
    ]
    return {
        "SchemaVersion": 2,
        "CreatedAt": "2024-02-01T10:00:00.123456789Z",
        "ArtifactName": "registry.example/web:1.0",
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12.4"}},
        "Results": results,
    }


def report(*found: tuple[str, str]) -> bytes:
    vulnerabilities = (vulnerability(id, severity) for id, severity in found)
    return json.dumps(document(*vulnerabilities), indent=2).encode()


def finding_ids(count: int, severity: str) -> list[tuple[str, str]]:
    return [(f"CVE-2024-{severity[:1]}{number}", severity) for number in range(count)]
