"""Writes the software bill of materials as CycloneDX: the Python packages of the runtime lock and the npm packages in the UI's build.

The same locks give the same file, with no address, time, or path in it. Licences are those that the packages installed beside this
interpreter state; what belongs to another platform has none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from importlib.metadata import files as files_of
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[2]
_ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\\n]+))?[^\n]*\n(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}[ \\]*\n)+)",
    re.M,
)
_CLASSIFIER = "License :: "
_LONGEST_NAME = 80


def bill(root: Path) -> dict[str, Any]:
    """The document."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    components = sorted([*_python(root), *_npm(root)], key=lambda component: str(component["purl"]))
    digest = hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()
    name, version = project["name"], project["version"]
    subject = {"type": "application", "bom-ref": f"{name}@{version}", "name": name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"component": subject | {"licenses": [{"license": {"id": project["license"]["text"]}}]}},
        "components": components,
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _python(root: Path) -> Iterator[dict[str, Any]]:
    """One file of several is installed, so their hashes stand beside each other, as those of one distribution."""
    for entry in _ENTRY.finditer((root / "requirements.lock").read_text(encoding="utf-8")):
        purl = f"pkg:pypi/{entry['name'].lower()}@{quote(entry['version'])}"
        hashes = [{"alg": "SHA-256", "content": digest} for digest in re.findall(r"[0-9a-f]{64}", entry["hashes"])]
        here = entry["marker"] is None or Marker(entry["marker"].strip()).evaluate()
        licences = _licences(entry["name"], entry["version"]) if here else []
        yield _component(entry["name"], entry["version"], purl, licences) | {
            "externalReferences": [{"type": "distribution", "url": purl, "hashes": hashes}]
        }


def _licences(name: str, version: str) -> list[dict[str, Any]]:
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return []
    if stated["Version"] != version:
        return []
    if expression := stated["License-Expression"]:
        return [{"expression": expression}]
    classified = [
        text.rpartition(" :: ")[2] for text in stated.get_all("Classifier") or () if text.startswith(_CLASSIFIER)
    ]
    title = (stated["License"] or "").strip().partition("\n")[0]
    names = [title] if 0 < len(title) <= _LONGEST_NAME else classified or _heading(name)
    return [{"license": {"name": each}} for each in names]


def _heading(name: str) -> list[str]:
    """The first line of the package's licence, for one that says nothing of it elsewhere."""
    files = [file for file in files_of(name) or [] if file.match("*.dist-info/licenses/LICEN[CS]E*")]
    headings = [line.strip() for file in files for line in file.read_text().splitlines()[:1]]
    return [line for line in headings if 0 < len(line) <= _LONGEST_NAME]


def _npm(root: Path) -> Iterator[dict[str, Any]]:
    packages = json.loads((root / "ui" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for place, package in packages.items():
        if not place or package.get("dev") or package.get("devOptional"):
            continue
        name = package.get("name", place.rpartition("node_modules/")[2])
        algorithm, _, digest = package["integrity"].partition("-")
        hashed = {"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}
        licences = [{"expression": package["license"]}] if "license" in package else []
        purl = f"pkg:npm/{quote(name)}@{quote(package['version'])}"
        yield _component(name, package["version"], purl, licences) | {"hashes": [hashed]}


def _component(name: str, version: str, purl: str, licences: list[dict[str, Any]]) -> dict[str, Any]:
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return component | ({"licenses": licences} if licences else {})


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill(ROOT), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Wrote {target}.")
