"""That bandit and the search for secrets, as `make lint` runs them, find what is planted, and nothing in what is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCAN = ROOT / "deploy" / "ci" / "secret_scan.py"
PLANTED = {
    "a key of a cloud": ("settings.py", "place = '" + "AKIA" + "Q3EGRAGZVEXAMPLT'\n"),
    "a password": ("appliance/kit/door.py", "PASS" + "WORD = 'tr0ub4dor-and-three'\n"),
    "an address with a password": (
        "docs/pages/more.md",
        "`postgresql://" + "ada:tr0ub4dor@db.example.org/appliance`\n",
    ),
    "a private key": ("deploy/key", "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEow\n"),
    "a token in a file of settings": ("deploy/site.yml", "api_" + "key: 9f86d081884c7d659a2feaa0c55ad015\n"),
}
UNSAFE = {
    "B602": "import subprocess\n\ndef f(x):\n    subprocess.run(x, shell=True)\n",
    "B324": "import hashlib\n\ndef f(x):\n    return hashlib.md5(x)\n",
    "B506": "import yaml\n\ndef f(x):\n    return yaml.load(x)\n",
    "B613": "name = 'a\u202eb'\n",
    "B501": "import requests\n\ndef f(x):\n    requests.get(x, verify=False, timeout=1)\n",
}


def scan(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCAN), str(root)], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A small repository with the baseline and a file that the baseline knows."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    baseline = json.loads((ROOT / "deploy/ci/secrets.json").read_text())
    known = "docs/pages/settings.md"
    for file in (known, "deploy/ci/secrets.json"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "deploy/ci/secrets.json").write_text(json.dumps({known: baseline[known]}))
    return tmp_path


def test_planted_secrets_are_found_and_not_told(copy: Path) -> None:
    assert scan(copy).returncode == 0
    for file, content in PLANTED.values():
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        (copy / file).write_text(content)
    done = scan(copy)
    assert done.returncode == 1
    for what, (file, _) in PLANTED.items():
        assert f"{file}:1: " in done.stdout, f"{what}\n{done.stdout}{done.stderr}"
    assert "tr0ub4dor" not in done.stdout


def test_a_baseline_that_knows_too_much_is_refused(copy: Path) -> None:
    (copy / "docs/pages/settings.md").write_text("Nothing.\n")
    assert "no longer there" in scan(copy).stdout


def test_the_baseline_names_files_of_the_repository_and_no_secrets() -> None:
    baseline = json.loads((ROOT / "deploy/ci/secrets.json").read_text())
    for file, kinds in baseline.items():
        assert (ROOT / file).is_file() and not Path(file).is_absolute()
        for kind in kinds:
            digest = kind.rsplit(" ", 1)[1]
            assert len(digest) == 40 and set(digest) <= set("0123456789abcdef")


def test_bandit_finds_what_is_planted_with_the_projects_configuration(tmp_path: Path) -> None:
    for test, code in UNSAFE.items():
        (tmp_path / f"{test}.py").write_text(code)
    command = [
        sys.executable,
        "-m",
        "bandit",
        "-q",
        "-r",
        "-f",
        "json",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {(Path(result["filename"]).stem, result["test_id"]) for result in json.loads(done.stdout)["results"]}
    assert done.returncode == 1
    assert {(test, test) for test in UNSAFE} <= found


def test_each_exception_says_why() -> None:
    for file in [*(ROOT / "appliance").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "# nosec" in line:
                _, _, rest = line.partition("# nosec ")
                assert rest.startswith("B") and " # " in rest, f"{file.relative_to(ROOT)}: {line.strip()}"
