"""What is installed here, as if less were, or as wheels again: tests of installations need no package index."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

from appliance.kit.distribution import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[1]
_REFUSING = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the lock", name=name)

sys.meta_path.insert(0, Refusing())
"""


def locked(name: str) -> dict[str, Requirement]:
    """The packages of a lock file by name."""
    lines = [
        line.removesuffix("\\") for line in (ROOT / name).read_text().splitlines() if not line.startswith((" ", "#"))
    ]
    found = [Requirement(line.strip()) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def locked_here(name: str) -> list[str]:
    """Those that are installed here."""
    return [one for one, each in locked(name).items() if each.marker is None or each.marker.evaluate()]


def refuse_others(folder: Path, lock: str) -> set[str]:
    """Have each Python with this folder on its path refuse the modules that no package of the lock brings along. Returns those modules."""
    packages = {*locked(lock), DISTRIBUTION}
    names = {"faker", "polyfactory"}  # which aren't installed here
    for module, owners in packages_distributions().items():
        if not packages & {canonicalize_name(owner) for owner in owners}:
            names.add(module)
    (folder / "sitecustomize.py").write_text(_REFUSING.format(names=names))
    return names


def wheel_of(name: str, folder: Path) -> Path:
    """An installed package, packed into a wheel again. Its hash is another one than that of the wheel it was installed from."""
    installed = distribution(name)
    tag = _tag(installed)
    target = folder / f"{re.sub(r'[-_.]+', '_', installed.name)}-{installed.version}-{tag}.whl"
    record: list[str] = []
    with zipfile.ZipFile(target, "w") as archive:
        for file in installed.files or ():
            place = Path(str(file))
            skipped = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"} if ".dist-info" in str(place) else set()
            if ".." in place.parts or place.suffix == ".pyc" or place.name in skipped:
                continue
            content = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{place.as_posix()},sha256={digest},{len(content)}")
            archive.writestr(place.as_posix(), content)
        [info] = {line.partition("/")[0] for line in record if ".dist-info/" in line}
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return target


def _tag(installed: Distribution) -> str:
    stated = re.findall(r"^Tag: (\S+)$", installed.read_text("WHEEL") or "", re.M)
    here = [str(tag) for tag in sys_tags()]
    return min((tag for tag in stated if tag in here), key=here.index)
