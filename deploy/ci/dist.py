"""Writes what an air-gapped site installs from: our wheel and those of the dependencies, with their metadata beside them as a package index
serves it; what to give to `pip install --require-hashes -r`; and the checksums of all of it.

    python deploy/ci/dist.py dist                        # for this Python
    python deploy/ci/dist.py dist --python 3.11 --python 3.12

The UI and the documentation must have been built. What was in the folder of wheels is replaced once everything is there.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "appliance-flows"
WHEELS, SUMS = "wheels", "SHA256SUMS"
LISTS = {
    "requirements-sdk.txt": (NAME, "requirements-sdk.lock"),
    "requirements-server.txt": (f"{NAME}[docker,kubernetes,live,object-stores,sealing,server]", "requirements.lock"),
}
"""What each list installs of our package, and the lock that it goes on with."""
_BUILT = ("appliance/server/web/static/index.html", "appliance/server/web/site/index.html")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", action="append", default=[], help="another version of Python (repeatable)")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if missing := [name for name in _BUILT if not (ROOT / name).exists()]:
        sys.exit(f"{missing[0]} has not been built; run: make ui docs")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        draft = Path(place)
        own = build(draft)
        download(draft, ROOT / "requirements.lock", options.python)
        write_metadata(draft)
        for name, (requirement, lock) in LISTS.items():
            (options.folder / name).write_text(requirements(requirement, own, ROOT / lock), encoding="utf-8")
        shutil.rmtree(options.folder / WHEELS, ignore_errors=True)
        draft.chmod(0o755)
        draft.rename(options.folder / WHEELS)
        draft.mkdir()  # for the end of this block
    (options.folder / SUMS).write_text(checksums(options.folder), encoding="utf-8")
    print(f"Wrote {len(list((options.folder / WHEELS).glob('*.whl')))} wheels to {options.folder / WHEELS}.")


def build(folder: Path) -> Path:
    """Build our wheel; the same files give the same bytes."""
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    [wheel] = folder.glob("*.whl")
    return wheel


def download(folder: Path, lock: Path, versions: list[str]) -> None:
    """Fetch what the lock names for this Python and for others, each with a hash that the lock has."""
    pip = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
    for other in ([], *(["--python-version", version] for version in versions)):
        _run(*pip, "--only-binary", ":all:", *other, "-d", str(folder), "-r", str(lock))


def write_metadata(folder: Path) -> None:
    """Write the metadata of each wheel beside it, so that a server of them never opens one."""
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            [name] = [
                name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
            ]
            wheel.with_name(f"{wheel.name}.metadata").write_bytes(archive.read(name))


def requirements(requirement: str, wheel: Path, lock: Path) -> str:
    """The lock, with our own wheel in front of it."""
    version = wheel.name.split("-")[1]
    return f"{requirement}=={version} \\\n    --hash=sha256:{_digest(wheel)}\n{lock.read_text(encoding='utf-8')}"


def checksums(folder: Path) -> str:
    """A line for each file, as sha256sum writes and checks them."""
    files = [*(folder / name for name in LISTS), *sorted((folder / WHEELS).iterdir())]
    return "".join(f"{_digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"python {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
