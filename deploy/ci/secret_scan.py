"""Looks for secrets in what Git would commit. Those of the baseline, which tests and examples have made up, are known.

A first search by Git picks the files in which a detector could find anything, because detectors need seconds for all of them. A finding
that is no secret goes into the baseline with --accept; the diff of the baseline is what a reviewer reads. It has hashes, not secrets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
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
ACCEPT = "python deploy/ci/secret_scan.py --accept"


def find(root: Path) -> dict[tuple[str, str], int]:
    """The secrets by file and `kind hash`, and their lines."""
    secrets = SecretsCollection(root=str(root))
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS.split()], "filters_used": []}):
        for file in _candidates(root):
            secrets.scan_file(file)
    return {(file, f"{secret.type} {secret.secret_hash}"): secret.line_number for file, secret in secrets}


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
    found = find(options.root)
    if options.accept:
        files = {file: sorted(kind for other, kind in found if other == file) for file, _ in sorted(found)}
        baseline.write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")
        return 0
    files = json.loads(baseline.read_text(encoding="utf-8"))
    known = {(file, kind) for file, kinds in files.items() for kind in kinds}
    for file, kind in sorted(found.keys() - known):
        print(
            f"{file}:{found[file, kind]}: {kind.rpartition(' ')[0]}: take it out and replace it everywhere; if it is no secret: {ACCEPT}"
        )
    for file, _ in sorted(known - found.keys()):
        print(f"{file}: the baseline knows a secret that is no longer there: {ACCEPT}")
    return int(found.keys() != known)


if __name__ == "__main__":
    raise SystemExit(main())
