"""The example project: list what is installed on this machine, clean the list, summarise it by section, store it in SQLite.

It reads real data (Debian's package database, or the interpreter's Python packages on other systems) and writes a real result
that you can open: `sqlite3 packages.sqlite 'select * from section order by kilobytes desc'`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import defaultdict
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from appliance import Flow, Parameter, get_logger, task, unmapped

DPKG_STATUS = Path("/var/lib/dpkg/status")
Package = dict[str, Any]


def paragraphs(text: str) -> list[dict[str, str]]:
    """The stanzas of a Debian control file, without continuation lines."""
    stanzas = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if fields:
            stanzas.append(fields)
    return stanzas


@task(max_retries=2, retry_delay=timedelta(seconds=2))
def read_packages() -> list[dict[str, str]]:
    """Every package known to this machine, as raw text fields."""
    log = get_logger()
    if DPKG_STATUS.is_file():
        raw = paragraphs(DPKG_STATUS.read_text(encoding="utf-8", errors="replace"))
        log.info("Read %d entries from Debian's package database", len(raw))
        return raw
    raw = [
        {
            "Package": dist.metadata["Name"] or "",
            "Version": dist.version or "",
            "Section": "python",
            "Status": "install ok installed",
            "Installed-Size": str(sum((file.size or 0) for file in dist.files or []) // 1024),
        }
        for dist in metadata.distributions()
    ]
    log.info("This is not Debian: read %d Python packages instead", len(raw))
    return raw


@task
def clean(raw: list[dict[str, str]], smallest_kb: int) -> list[Package]:
    """Only installed packages of at least `smallest_kb` kilobytes, with sizes as numbers."""
    packages = []
    for fields in raw:
        size = fields.get("Installed-Size", "")
        if not fields.get("Status", "").endswith("installed") or not size.isdigit() or int(size) < smallest_kb:
            continue
        section = fields.get("Section", "unknown").rpartition("/")[2]
        packages.append(
            {"name": fields["Package"], "version": fields["Version"], "section": section, "kilobytes": int(size)}
        )
    get_logger().info("Kept %d of %d packages", len(packages), len(raw))
    return packages


@task
def by_section(packages: list[Package]) -> list[tuple[str, list[Package]]]:
    """The packages grouped by their section, in the sections' order."""
    groups: dict[str, list[Package]] = defaultdict(list)
    for package in packages:
        groups[package["section"]].append(package)
    return sorted(groups.items())


@task
def summarise(group: tuple[str, list[Package]], largest: int) -> dict[str, Any]:
    """One section's count, size and largest packages."""
    section, packages = group
    ranked = sorted(packages, key=lambda package: package["kilobytes"], reverse=True)
    total = sum(package["kilobytes"] for package in packages)
    get_logger().info("%s: %d packages, %d kB", section, len(packages), total)
    return {
        "section": section,
        "packages": len(packages),
        "kilobytes": total,
        "largest": ", ".join(package["name"] for package in ranked[:largest]),
    }


@task
def load(packages: list[Package], sections: list[dict[str, Any]], output: str) -> str:
    """Write both tables into one SQLite file, which is either complete or absent."""
    path = Path(output or default_output())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with sqlite3.connect(fresh) as database:
        database.execute("create table package (name text, version text, section text, kilobytes integer)")
        database.execute(
            "create table section (section text primary key, packages integer, kilobytes integer, largest text)"
        )
        database.executemany("insert into package values (:name, :version, :section, :kilobytes)", packages)
        database.executemany("insert into section values (:section, :packages, :kilobytes, :largest)", sections)
    database.close()
    fresh.replace(path)
    get_logger().info("Wrote %d packages in %d sections", len(packages), len(sections))
    return str(path)


@task
def report(path: str) -> list[str]:
    """The five largest sections, as stored in the file."""
    database = sqlite3.connect(path)
    rows = database.execute(
        "select section, packages, kilobytes from section order by kilobytes desc limit 5"
    ).fetchall()
    database.close()
    lines = [f"{section}: {count} packages, {kilobytes / 1024:.1f} MB" for section, count, kilobytes in rows]
    get_logger().info("The largest sections are %s", "; ".join(lines))
    return lines


def default_output() -> str:
    """A file in the folder EXAMPLE_DIR, or else in the temporary directory."""
    folder = os.environ.get("EXAMPLE_DIR") or Path(tempfile.gettempdir()) / "appliance-example"
    return str(Path(folder) / "packages.sqlite")


with Flow("package-report") as flow:
    smallest_kb = Parameter("smallest_kb", default=0)
    largest = Parameter("largest", default=3)
    output = Parameter("output", default="")
    packages = clean(read_packages(), smallest_kb)
    sections = summarise.map(by_section(packages), unmapped(largest))
    report(load(packages, sections, output))

if __name__ == "__main__":
    flow.run()
