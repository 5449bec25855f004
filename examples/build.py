"""Build the example's artifacts: `python examples/build.py [DIRECTORY]`.

Writes web-1.0.0.tar.gz and web-1.1.0.tar.gz into DIRECTORY, by default examples/dist, where the
release files expect them. Nothing of the host or the time goes into them, so the same sources give
the same bytes (https://reproducible-builds.org/docs/archives/).
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent

# server.py imports none of these. They are in the archive so that a scanner finds something in it,
# at versions whose findings are known; the scan reports in reports/ are about these files.
REQUIREMENTS = ("certifi==2024.2.2", "idna==3.7", "requests==2.31.0", "urllib3==2.2.1")
VERSIONS = {"1.0.0": REQUIREMENTS, "1.1.0": ("PyYAML==5.3.1", *REQUIREMENTS)}


def build(version: str, directory: Path) -> Path:
    """Write the archive of one version into `directory`; returns its path."""
    contents = {
        "VERSION": f"{version}\n".encode(),
        "requirements.txt": "".join(f"{line}\n" for line in VERSIONS[version]).encode(),
        "server.py": (HERE / "web" / "server.py").read_bytes(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(contents.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"web-{version}.tar.gz"
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed,
    ):
        compressed.write(packed.getvalue())
    return path


def main(arguments: list[str]) -> None:
    """Build every version."""
    directory = Path(arguments[0]) if arguments else HERE / "dist"
    for version in VERSIONS:
        print(build(version, directory))


if __name__ == "__main__":
    main(sys.argv[1:])
