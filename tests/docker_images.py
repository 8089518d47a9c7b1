"""The Docker engine of tests: whether there is one, and an image with the SDK as it is here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE_IMAGE = os.environ.get("BASE_IMAGE", "appliance-base:trixie")
_DOCKERFILE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY requirements-sdk.lock /opt/
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r /opt/requirements-sdk.lock
COPY sdk /opt/sdk
ENV PYTHONPATH=/opt/sdk
RUN python3 -m compileall -q /opt/sdk
USER 10007
"""


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@cache
def missing() -> str:
    """Why there is nothing to test with; empty if there is."""
    if shutil.which("docker") is None or not _succeeds("docker", "info"):
        return "no Docker engine answers"
    if not _succeeds("docker", "image", "inspect", BASE_IMAGE):
        return f"the base image {BASE_IMAGE} is not there"
    return ""


def build(folder: Path, tag: str, files: Mapping[str, str]) -> None:
    """Build an image of the base, the SDK, and some files beside it. An ordinary user runs in it."""
    ignored = shutil.ignore_patterns("__pycache__", "site", "static")
    shutil.copytree(ROOT / "appliance", folder / "sdk/appliance", ignore=ignored)
    shutil.copy(ROOT / "requirements-sdk.lock", folder)
    for name, content in files.items():
        (folder / "sdk" / name).parent.mkdir(exist_ok=True)
        (folder / "sdk" / name).write_text(content)
    (folder / "Dockerfile").write_text(_DOCKERFILE)
    before = _id_of(tag)
    command = ["docker", "build", "--quiet", "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    if before not in ("", _id_of(tag)):
        _succeeds("docker", "image", "rm", before)


def _id_of(tag: str) -> str:
    command = ["docker", "image", "inspect", "--format", "{{.Id}}", tag]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
