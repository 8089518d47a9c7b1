"""Documentation is tested: every setting, command, option and metric occurs in its reference page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from appliance.cli.root import cli
from appliance.config import Settings

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


def test_every_metric_is_documented() -> None:
    source = (ROOT / "appliance" / "server" / "web" / "metrics.py").read_text()
    page = (PAGES / "metrics.md").read_text()
    names = set(re.findall(r'"(appliance_[a-z_]+)"', source))
    assert names
    assert not [name for name in names if name not in page]


@pytest.mark.parametrize("page", [ROOT / "README.md", PAGES / "first-flow.md"], ids=lambda page: page.name)
def test_the_first_flow_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", page.read_text(), re.S)
    assert block is not None
    file = tmp_path / "flow.py"
    file.write_text(block[1])
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Success" in done.stderr
