"""Looks for secrets in what Git would commit. Those of the baseline, which tests and examples have made up, are known.

A first search by Git picks the files in which a detector could find anything, because detectors need seconds for all of them. A finding
that is no secret goes into the baseline with --accept; the diff of the baseline is what a reviewer reads. It has hashes, not secrets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

BASELINE = Path("deploy/ci/secrets.json")
DETECTORS = """
AWSKeyDetector AzureStorageKeyDetector BasicAuthDetector GitHubTokenDetector GitLabTokenDetector JwtTokenDetector KeywordDetector
NpmDetector PrivateKeyDetector PypiTokenDetector SlackDetector StripeDetector
"""
CANDIDATES = (
    r"""(pass(word|wd|phrase)?|pwd|secret|token|api_?key|private_?key|credentials?|authorization|_auth)["']?[]A-Za-z0-9_"']{0,20} *(: *[a-z]+ *=|:=|=|:|=>|,|\() *["'`]"""
    r"""|(pass(word|wd)?|pwd|secret|token|key) *[=:] *[A-Za-z0-9+/_-]{8,} *$"""
    r"""|://[^/ :@"']+:[^/ @"']+@|AKIA|ASIA|AccountKey=|gh[oprsu]_|glpat-|BEGIN [A-Z ]*PRIVATE KEY|eyJ[A-Za-z0-9_-]{10}|_authToken|pypi-|xox[a-z]-|hooks\.slack|[rs]k_live"""
)
NOT_SCANNED = (
    "*.lock",
    "ui/package-lock.json",
    "ui/src/api/generated.ts",
    "tests/compatibility/pickles",
    str(BASELINE),
)
Findings = dict[str, list[str]]


def find(root: Path) -> tuple[Findings, list[str]]:
    """The secrets in each file as `kind hash`, and where they are, for people."""
    files = _candidates(root)
    found: Findings = {}
    places: list[str] = []
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS.split()], "filters_used": []}):
        secrets = SecretsCollection(root=str(root))
        for file in files:
            secrets.scan_file(file)
    for file, secret in secrets:
        found.setdefault(file, []).append(f"{secret.type} {secret.secret_hash}")
        places.append(f"{file}:{secret.line_number}: {secret.type} ({secret.secret_hash[:8]})")
    return {file: sorted(set(kinds)) for file, kinds in sorted(found.items())}, sorted(places)


def _candidates(root: Path) -> list[str]:
    but = [f":(exclude){pattern}" for pattern in NOT_SCANNED]
    command = ["git", "grep", "-lzEiI", "--untracked", "--exclude-standard", "-e", CANDIDATES, "--", ".", *but]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"The files to scan could not be listed: {done.stderr.decode().strip()}")
    return sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write what is found into the baseline")
    parser.add_argument("root", nargs="?", type=Path, default=Path())
    options = parser.parse_args()
    baseline = options.root / BASELINE
    found, places = find(options.root)
    if options.accept:
        baseline.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    known: Findings = json.loads(baseline.read_text(encoding="utf-8"))
    new = {(file, kind) for file, kinds in found.items() for kind in kinds if kind not in known.get(file, [])}
    gone = {(file, kind) for file, kinds in known.items() for kind in kinds if kind not in found.get(file, [])}
    for place in places:
        if any(place.startswith(f"{file}:") and f"({kind.split()[-1][:8]})" in place for file, kind in new):
            print(f"{place}: remove this secret and replace it everywhere; if it is none: python deploy/ci/secret_scan.py --accept")
    for file, _ in sorted(gone):
        print(f"{file}: the baseline knows a secret that is no longer there; run python deploy/ci/secret_scan.py --accept")
    return 1 if new or gone else 0


if __name__ == "__main__":
    raise SystemExit(main())
