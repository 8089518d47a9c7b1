"""Environments of an agent: built once, from one index alone, and kept while a process runs in them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pytest

from appliance.agents import environments as module
from appliance.agents import installers, pythons
from appliance.agents.environments import Environment, EnvironmentFailed, EnvironmentRules, Environments
from appliance.agents.installers import Stopped
from appliance.agents.run_users import RunUsers
from appliance.kit import clock
from appliance.kit.version import VERSION
from tests.second_python import second_python
from tests.wheelhouse import Index, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with serving(tmp_path / "index") as index:
        yield index


@pytest.fixture
def environments(tmp_path: Path, index: Index) -> Environments:
    return make(tmp_path, index)


def make(tmp_path: Path, index: Index, tool: str = "", **rules: object) -> Environments:
    chosen = EnvironmentRules(**{"allowed": True, "index_url": index.url, **rules})  # type: ignore[arg-type]
    return Environments(tmp_path / "environments", chosen, tool=tool, patience=0.3)


def asks(environment: Environment, code: str) -> str:
    command = [str(environment.python), "-P", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout.strip()


def failure(environments: Environments, requirements: list[str], python: str | None = None) -> EnvironmentFailed:
    with pytest.raises(EnvironmentFailed) as caught:
        environments.obtain(python, requirements)
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", ")"))
    return caught.value


SHOW = """
import json, appliance.agents.execute, tiny
from importlib.util import find_spec
print(json.dumps([tiny.VERSION, find_spec("litestar") is None, find_spec("pytest") is None]))
"""


def test_versions_that_conflict_live_side_by_side(
    environments: Environments, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0"):
        index.add("tiny", version)
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/stray")  # of the agent, for its own installation
    lines: list[str] = []
    for version in ("1.0", "2.0"):
        made = environments.obtain(None, [f"tiny=={version}"], lines.append)
        assert json.loads(asks(made, SHOW)) == [version, True, True], "the SDK and the flow's packages, and no other"
        assert made.record.linked and made.record.packages > 10 and made.record.size > 0
        made.release()
    assert lines[0].startswith("Building environment ") and "1 requirement ..." in lines[0]
    assert lines[1].startswith("Built environment ") and lines[1].endswith(" s.")
    asked = len(index.asked)
    del lines[:]
    again = environments.obtain(None, ["tiny==2.0"], lines.append)
    assert len(index.asked) == asked and lines == []
    assert again.variables()["PATH"].startswith(str(again.python.parent))
    again.release()
    assert [(record.requirements, used) for record, _at, used in environments.records()] == [
        (["tiny==2.0"], False),
        (["tiny==1.0"], False),
    ]


def test_many_who_want_the_same_build_it_once(environments: Environments, index: Index) -> None:
    index.add("tiny", "1.0")
    found: list[Environment] = []
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(environments.obtain(None, ["tiny==1.0"], told.append)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({made.key for made in found}) == 1 and len(found) == 3
    assert [sum(line.startswith(verb) for line in told) for verb in ("Building", "Built")] == [1, 1]
    for made in found:
        made.release()


def test_hashes_are_required_where_the_lock_has_them(environments: Environments, index: Index) -> None:
    right = index.add("tiny", "1.0", requires=("other",))
    other = index.add("other", "1.0")
    lock = [f"tiny==1.0 --hash=sha256:{right}", f"other==1.0 --hash=sha256:{other}"]
    environments.obtain(None, lock).release()
    wrong = failure(environments, [lock[0], f"other==1.0 --hash=sha256:{'0' * 64}"])
    assert "could not install" in str(wrong) and "0" * 64 in wrong.detail
    missing = failure(environments, lock[:1])
    assert "other" in missing.detail, "what it needs must be in the lock, too"
    click = index.add("click", "7.0")
    conflict = failure(environments, [f"click==7.0 --hash=sha256:{click}"])
    assert "don't fit each other" in str(conflict) and "click" in conflict.detail


def test_what_the_index_lacks_is_named_and_not_looked_for_again_at_once(
    environments: Environments, index: Index
) -> None:
    index.add("tiny", "1.0")
    requirements = ["tiny==1.0", "absent==1.0", "Tiny.Other==3"]
    first = failure(environments, requirements)
    assert "has no wheel of tiny-other 3, absent 1.0." in str(first) and first.detail
    asked = len(index.asked)
    second = failure(environments, requirements)
    assert "s ago: The package index" in str(second) and "environments remove" in str(second)
    assert len(index.asked) == asked
    index.add("absent", "1.0")
    index.add("tiny_other", "3")
    now = clock.now()
    with clock.stopped(lambda: now + timedelta(seconds=6)):
        environments.obtain(None, requirements).release()


def test_an_index_that_is_away_is_asked_again_for_a_while(tmp_path: Path, index: Index) -> None:
    index.add("tiny", "1.0")
    away = make(tmp_path, index, index_url="http://127.0.0.1:9/simple")
    error = failure(away, ["tiny==1.0"])
    assert "http://127.0.0.1:9/simple can't be reached" in str(error)
    make(tmp_path, index).obtain(None, ["tiny==1.0"]).release()  # nothing keeps it from being built now


def test_an_index_that_asks_for_a_token_says_what_to_set(tmp_path: Path, index: Index) -> None:
    index.status = 401
    error = failure(make(tmp_path, index, index_url=index.url.replace("//", "//user:hidden@")), ["tiny==1.0"])
    assert "APPLIANCE_AGENT_INDEX_URL" in str(error) and "hidden" not in str(error)


BUILD = """
import sys
from pathlib import Path
from appliance.agents.environments import Environments, EnvironmentRules
Environments(Path(sys.argv[1]), EnvironmentRules(allowed=True, index_url=sys.argv[2])).obtain(None, ["tiny==1.0"], print)
"""


def builder(tmp_path: Path, index: Index, **environ: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", BUILD, str(tmp_path / "environments"), index.url]
    return subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.DEVNULL)


def test_a_build_whose_agent_dies_does_not_count(tmp_path: Path, environments: Environments, index: Index) -> None:
    index.add("tiny", "1.0")
    assert builder(tmp_path, index, APPLIANCE_CRASH="agent.environment_filled:1:kill").wait(60) == -signal.SIGKILL
    [folder] = (tmp_path / "environments").iterdir()
    assert (folder / "venv" / "bin" / "python").exists() and environments.records() == []
    told: list[str] = []
    made = environments.obtain(None, ["tiny==1.0"], told.append)
    assert any(line.startswith("Built") for line in told)
    assert asks(made, "import tiny; print(tiny.VERSION)") == "1.0"
    made.release()


def test_an_installer_that_outlives_its_agent_is_waited_for(
    tmp_path: Path, environments: Environments, index: Index
) -> None:
    index.add("tiny", "1.0")
    index.hold = "/tiny/"
    process = builder(tmp_path, index)
    assert index.held.wait(60)
    process.kill()
    process.wait()
    told: list[str] = []
    with pytest.raises(Stopped):
        environments.obtain(None, ["tiny==1.0"], told.append, lambda: not told)
    assert "is being built for another run" in told[0]
    index.go_on.set()
    environments.obtain(None, ["tiny==1.0"]).release()


def test_a_build_that_is_not_wanted_any_more_ends_at_once(environments: Environments, index: Index) -> None:
    index.add("tiny", "1.0")
    index.hold = "/tiny/"
    with pytest.raises(Stopped):
        environments.obtain(None, ["tiny==1.0"], is_wanted=lambda: not index.held.is_set())
    index.go_on.set()
    assert environments.records() == []


def test_those_that_are_used_stay(
    tmp_path: Path, environments: Environments, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("tiny", "1.0")
    made = environments.obtain(None, [])
    command = [str(made.python), "-c", "input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[made.held])
    made.release()  # its agent has ended
    monkeypatch.setattr(module, "MOST", 0)
    other = environments.obtain(None, ["tiny==1.0"])
    assert len(environments.records()) == 2 and not environments.remove(made.key)
    other.release()
    assert environments.sweep() == 1
    [(record, _at, used)] = environments.records()
    assert record.key == made.key and used
    process.communicate(b"\n")
    assert environments.remove(made.key) and not environments.remove(made.key)
    assert list((tmp_path / "environments").iterdir()) == []
    assert not environments.remove("../index") and (tmp_path / "index").exists()


def test_pip_does_it_too(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("tiny", "1.0")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/stray\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "home" / "pip.conf"))
    made = make(tmp_path, index, "pip").obtain(None, ["tiny==1.0"])
    assert json.loads(asks(made, SHOW)) == ["1.0", True, True]
    made.release()


def test_the_sdk_comes_from_the_index_if_that_has_it(environments: Environments, index: Index) -> None:
    index.add("appliance_flows", VERSION, requires=("tiny>=1",))
    index.add("tiny", "1.0")
    made = environments.obtain(None, [f"appliance-flows=={VERSION}"])  # as the lock of a project has it
    assert not made.record.linked and made.record.requirements == []
    assert asks(made, "import appliance_flows, tiny; print(appliance_flows.VERSION, tiny.VERSION)") == f"{VERSION} 1.0"
    made.release()


SOURCES = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "PKG-INFO": "Metadata-Version: 2.1\nName: built\nVersion: 1.0\n",
    "backend.py": """
import os, zipfile

def build_wheel(folder, *_):
    info = "built-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(folder, "built-1.0-py3-none-any.whl"), "w") as archive:
        archive.writestr("built.py", "ENVIRON = " + repr(dict(os.environ)) + "\\nUID = " + str(os.getuid()))
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 1.0\\n")
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/RECORD", "")
    return "built-1.0-py3-none-any.whl"
""",
}


def test_sources_are_built_only_if_the_administrator_allows_it(
    tmp_path: Path, environments: Environments, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index.folder / "built").mkdir()
    with tarfile.open(index.folder / "built" / "built-1.0.tar.gz", "w:gz") as archive:
        for name, text in SOURCES.items():
            entry = tarfile.TarInfo(f"built-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    assert "has no wheel of built 1.0" in str(failure(environments, ["built==1.0"]))
    monkeypatch.setenv("APPLIANCE_TOKEN", "canary")
    monkeypatch.setenv("APPLIANCE_SECRET_DOOR", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    made = make(tmp_path / "other", index, builds=True).obtain(None, ["built==1.0"])
    environ = asks(made, "import built; print(built.ENVIRON)")
    assert "PATH" in environ and "canary" not in environ
    made.release()
    if os.geteuid() == 0:
        account = RunUsers(["nobody"]).account("nobody")
        own = make(tmp_path / "other", index, builds=True).obtain(None, ["built==1.0"], account=account)
        assert own.key != made.key and asks(own, "import built; print(built.UID)") == str(account.ids.uid)
        assert (own.folder / "venv/lib").stat().st_uid == account.ids.uid
        assert {(own.folder / name).stat().st_uid for name in ("", "environment.json", "requirements.txt")} == {0}
        own.release()


def test_what_flows_may_not_ask_for_is_said(tmp_path: Path, environments: Environments, index: Index) -> None:
    assert "APPLIANCE_AGENT_ENVIRONMENTS=true" in str(failure(make(tmp_path, index, allowed=False), []))
    assert "it is an option" in str(failure(environments, ["--index-url http://evil.test"]))  # from a hostile server
    assert "APPLIANCE_AGENT_PYTHONS" in str(failure(environments, [], "/bin/sh"))
    assert "There is no Python 3.98 on this machine" in str(failure(environments, [], "3.98"))
    allowed = make(tmp_path, index, pythons=("/bin/true",))
    assert "not a Python that works" in str(failure(allowed, [], "/bin/true"))
    assert not (tmp_path / "environments").exists()


def test_another_python_needs_an_index_with_the_sdk(
    tmp_path: Path, environments: Environments, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python3.42"
    program.write_text(f"""#!/bin/sh\necho '["{program}", "3.42.0", "cpython linux-x86_64 ", "/usr"]'\n""")
    program.chmod(0o755)
    (tmp_path / "shims").mkdir()
    (tmp_path / "shims" / "python3.42").symlink_to("/bin/false")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path}")
    assert pythons.find("3.42") == pythons.Interpreter(str(program), "3.42.0", "cpython linux-x86_64 ", "/usr")
    assert f"has no wheel of appliance-flows {VERSION}" in str(failure(environments, [], "3.42"))
    assert {"3.42", pythons.find(None).version.rpartition(".")[0]} <= set(environments.pythons())
    assert make(tmp_path, index, pythons=(str(program), "/bin/true")).pythons()[-1] == str(program)
    assert make(tmp_path, index, allowed=False).pythons() == []
    own = pythons.find(None)
    assert pythons.find(own.version.rpartition(".")[0]) == own


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_second_python_is_found_and_its_environments_are_of_its_version(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    """Without the SDK's compiled dependencies, which no index here has for it: only what is written in Python runs there."""
    version, folder = second_python()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    index.add("appliance_flows", VERSION, code="IS_STUB = True")
    index.add("tiny", "0.9")
    index.add("tiny", "1.0")
    environments = make(tmp_path, index, tool)
    own = pythons.find(None)
    assert pythons.find(version).version.startswith(f"{version}.") and not pythons.find(version).takes_ours
    assert {version, own.version.rpartition(".")[0]} <= set(environments.pythons())
    if tool == "pip" and version != "3.11":
        with monkeypatch.context() as old:
            old.setattr(installers.metadata, "version", lambda _name: "23.0.1")
            said = str(failure(environments, ["tiny==0.9"], version))
        assert "The agent's pip 23.0.1 is too old for Python 3." in said and "appliance-flows[environments]" in said
        if metadata.version("pip").startswith("23.0"):
            return
    made = environments.obtain(version, ["tiny==1.0"])
    same = environments.obtain(None, ["tiny==1.0"])
    assert asks(made, "import sys, tiny, appliance_flows; print('%d.%d' % sys.version_info[:2])") == version
    assert (made.record.python, same.record.python) == (pythons.find(version).version, own.version)
    assert made.key != same.key and not made.record.linked
    made.release()
    same.release()


def test_without_an_installer_it_says_what_to_install(
    environments: Environments, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installers, "is_installed", lambda _name: False)
    index.add("tiny", "1.0")
    assert "pip install 'appliance-flows[environments]'" in str(failure(environments, ["tiny==1.0"]))
