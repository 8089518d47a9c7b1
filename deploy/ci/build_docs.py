"""Builds the documentation into static pages that need no network; the appliance serves them at /docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "docs" / "mkdocs.yml"
SITE = ROOT / "appliance" / "server" / "web" / "site"


def build(config: Path = CONFIG) -> int:
    """Build with every warning an error, so that a dead link fails; print the log only then.

    mkdocs itself has --quiet for that, but then it no longer counts the warnings that --strict acts on.
    """
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    outcome = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if outcome.returncode:
        print(outcome.stdout + outcome.stderr, file=sys.stderr)
        return outcome.returncode
    scripts = SITE / "assets" / "javascripts"
    for unused in [*SITE.rglob("*.map"), *scripts.glob("lunr/*.js"), *scripts.glob("lunr/min/*.js")]:
        unused.unlink()  # for debuggers, and for the search in languages other than English: a third of the whole
    return 0


if __name__ == "__main__":
    raise SystemExit(build())
