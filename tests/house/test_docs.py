"""Documentation is tested: every setting, command, option and metric occurs in its reference page."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import click
import pytest

import appliance
from appliance import notify, schedules, testing
from appliance.cli.root import cli
from appliance.config import Settings
from appliance.server.domain import waiting
from appliance.server.web.docs import inline_scripts
from appliance.tasks.catalogue import SUBJECTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "pages"


def commands(group: click.Group, prefix: str = "") -> list[tuple[str, click.Command]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix}{name} ")
        else:
            found.append((f"{prefix}{name}", command))
    return found


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`APPLIANCE_{name.upper()}`" in (PAGES / "settings.md").read_text()


@pytest.mark.parametrize(("name", "command"), commands(cli), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_is_documented(name: str, command: click.Command) -> None:
    page = (PAGES / "cli.md").read_text()
    assert f"appliance {name}" in page
    assert command.help, f"{name} has no help"
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--") and option not in ("--help", "--json"):
                assert option in page, f"{option} of {name}"


_COMMANDS = {name: command for name, command in commands(cli)}
_SHOWN = sorted(
    {
        line.partition("#")[0].strip()
        for page in (*PAGES.glob("*.md"), ROOT / "README.md")
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.S)
        for line in block.replace("\\\n", " ").splitlines()
        if re.match(r"(docker compose exec appliance |\S*bin/)?appliance ", line)
    }
)


@pytest.mark.parametrize("line", _SHOWN)
def test_every_command_that_a_page_shows_exists(line: str) -> None:
    words = shlex.split(line[line.index("appliance ") :])[1:]
    name = next((name for n in (3, 2, 1) if (name := " ".join(words[:n])) in _COMMANDS), None)
    assert name is not None, f"no such command: {line}"
    known = {option for parameter in _COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    assert not unknown, f"{unknown} of {line}"


def test_every_metric_is_documented() -> None:
    source = (ROOT / "appliance" / "server" / "web" / "metrics.py").read_text()
    page = (PAGES / "metrics.md").read_text()
    names = set(re.findall(r'"(appliance_[a-z_]+)"', source))
    assert names
    assert not [name for name in names if name not in page]


@pytest.mark.parametrize("code", get_args(waiting.Code))
def test_every_reason_why_a_run_waits_is_documented(code: str) -> None:
    assert re.search(rf"^\| .*`{code}`.* \| \w.* \|$", (PAGES / "operate.md").read_text(), re.M)


@pytest.mark.parametrize("page", [ROOT / "README.md", PAGES / "first-flow.md"], ids=lambda page: page.name)
def test_the_first_flow_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", page.read_text(), re.S)
    assert block is not None
    file = tmp_path / "flow.py"
    file.write_text(block[1])
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Success" in done.stderr


GUIDES = ("tutorial.md", "writing-flows.md", "coming-from-prefect.md")
FILES = [
    (page, name, text)
    for page in GUIDES
    for name, text in re.findall(r'```python title="([^"]+)"\n(.*?)```', (PAGES / page).read_text(), re.S)
]


@pytest.mark.parametrize(("page", "name", "text"), FILES, ids=[f"{page}-{name}" for page, name, _ in FILES])
def test_the_files_of_the_guides_run(page: str, name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    pytest_ = ["-m", "pytest", "-q", "-p", "appliance.testing.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, *(pytest_ if name.startswith("test_") else []), str(file)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in _promised(page, name):
        assert line in done.stdout
    if name == "secret.py":
        assert "the word is ***" in done.stderr
        assert "sesame" not in done.stderr + done.stdout


def _promised(page: str, name: str) -> list[str]:
    """The output that a guide shows after a file."""
    rest = (PAGES / page).read_text().partition(f'title="{name}"')[2].partition("\n```\n")[2]
    found = re.search(r"```text\n(.*?)```", rest.partition("```python")[0], re.S)
    return found[1].splitlines() if found else []


def test_all_code_of_the_guides_is_run() -> None:
    assert len(FILES) == sum((PAGES / page).read_text().count("```python") for page in GUIDES) >= 14


def _build(config: Path, site: Path) -> None:
    """Build the pages. A warning is an error, so that dead links fail; --quiet would hide warnings from --strict."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, check=False, timeout=120, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("link", ["missing.md", "index.md#missing"])
def test_a_dead_link_fails_the_build(link: str, tmp_path: Path) -> None:
    settings, _separator, _theme_and_plugins = (ROOT / "docs" / "mkdocs.yml").read_text().partition("theme:")
    (tmp_path / "mkdocs.yml").write_text(settings)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text("# Title\n\n[Alive](index.md#title)\n")
    _build(tmp_path / "mkdocs.yml", tmp_path / "site")
    (tmp_path / "pages" / "index.md").write_text(f"# Title\n\n[Dead]({link})\n")
    with pytest.raises(AssertionError, match="missing"):
        _build(tmp_path / "mkdocs.yml", tmp_path / "site")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the Python reference, built."""
    site = tmp_path_factory.mktemp("site")
    _build(ROOT / "docs" / "mkdocs.yml", site)
    return (site / "python" / "index.html").read_text()


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(reference: str) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', reference))
    names = [f"appliance.{name}" for name in appliance.__all__ if name != "__version__"]
    names += [f"appliance.testing.{name}" for name in testing.__all__]
    names += [f"appliance.notify.{name}" for name in notify.__all__]
    names += [f"{subject.module}.{name}" for subject in SUBJECTS for name in subject.tasks]
    names += [f"appliance.schedules.{name}" for name in set(schedules.__all__) - set(appliance.__all__)]
    assert not [name for name in names if name not in anchors]


def test_a_name_without_a_subject_fails_the_build() -> None:
    subject = runpy.run_path(str(ROOT / "docs" / "reference.py"))["_subject"]
    assert subject("appliance.core.flow.Flow") == "Flows and tasks"
    assert subject("appliance.engine.results.local.LocalResult") == "Results"
    with pytest.raises(ValueError, match="add its module to SUBJECTS"):
        subject("appliance.core.novelty.Novelty")


def test_schedules_are_public_in_their_own_package() -> None:
    names = set(appliance.__all__) & set(schedules.__all__)
    assert "CronSchedule" in names
    assert all(getattr(schedules, name) is getattr(appliance, name) for name in names)


@pytest.mark.parametrize("module", [appliance, testing, schedules], ids=lambda module: module.__name__)
def test_every_public_name_says_what_it_is(module: Any) -> None:
    found = {name: inspect.getdoc(getattr(module, name)) or "" for name in module.__all__ if name != "__version__"}
    assert not [name for name, text in found.items() if len(text) < 15 or text == inspect.getdoc(type(found[name]))]


@pytest.mark.slow
def test_pages_run_under_the_policy_of_the_server(reference: str) -> None:
    """What the page loads and runs is this server's own, or known to the policy by its hash."""
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', reference)
    assert not re.findall(r"<[^>]+\son(?:click|load|error)=", reference)
    assert inline_scripts(reference)


@pytest.mark.parametrize(
    "answer", (PAGES / "faq.md").read_text().split("\n### ")[1:], ids=lambda text: text.partition("\n")[0]
)
def test_every_answer_of_the_faq_has_a_link_and_a_command(answer: str) -> None:
    assert re.search(r"\]\(\w[\w-]*\.md", answer)
    assert "```console\n" in answer
