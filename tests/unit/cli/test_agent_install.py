"""`appliance agent start` under all its names, and the units and services that `appliance agent install` prints, by what they mean."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from appliance.cli.agent import agent
from appliance.cli.agent_start import start

SYSTEMD = ("install", "systemd", "--name", "edge-01", "--server-url", "http://orchestrator:4200")
DOCKER = ("install", "docker", "--name", "edge-02", "--image", "etl:3", "--server-url", "http://orchestrator:4200")
ODD = ("--label", 'a "b" %c $d', "--env", "GREETING=it's 100% $HOME")


def run(*words: str) -> Result:
    return CliRunner().invoke(agent, words, prog_name="appliance agent")


def printed(*words: str) -> str:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


# --- appliance agent start


def parsed(command: click.Command, *words: str) -> dict[str, Any]:
    return command.make_context("x", list(words)).params


@pytest.mark.parametrize("kind", ["process", "docker"])
def test_names_of_earlier_releases_mean_the_same_and_no_help_shows_them(kind: str) -> None:
    image = ["--image", "etl:3"] if kind == "docker" else []
    old = parsed(agent.commands[kind], *image, "--name", "a", "--capacity", "3")
    assert old == parsed(start.commands[kind], *image, "--name", "a", "--slots", "3")
    assert old["capacity"] == 3
    assert "--capacity" not in printed("start", kind, "--help")
    assert kind not in [line.split()[0] for line in printed("--help").splitlines() if line.startswith("  ")]


@pytest.mark.parametrize(
    ("text", "address"),
    [("9100", ("127.0.0.1", 9100)), ("0.0.0.0:9100", ("0.0.0.0", 9100)), ("[::1]:9100", ("::1", 9100))],
)
def test_a_listener_without_a_host_is_for_this_machine_alone(text: str, address: tuple[str, int]) -> None:
    assert parsed(start.commands["process"], "--listen", text)["listen"] == address


# --- units


def sections(unit: str) -> dict[str, list[str]]:
    """The values of each key."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_a_unit_keeps_the_agent_running_and_lets_its_runs_go_on() -> None:
    unit = sections(printed(*SYSTEMD, "--slots", "16", "--root", "/srv/flows"))
    expected = {
        **{"Restart": ["always"], "KillMode": ["process"], "OOMPolicy": ["continue"], "Delegate": ["yes"]},
        **{"User": ["appliance-agent"], "StateDirectory": ["appliance-agent-edge-01"], "TimeoutStopSec": ["30"]},
        **{"ProtectSystem": ["full"], "NoNewPrivileges": ["yes"], "EnvironmentFile": ["/etc/appliance/edge-01.env"]},
    }
    assert {key: unit[key] for key in expected} == expected
    assert "APPLIANCE_URL=http://orchestrator:4200" in unit["Environment"]
    assert not [value for values in unit.values() for value in values if "TOKEN" in value]
    assert not {"PrivateTmp", "ProtectHome", "DynamicUser"} & set(
        unit
    )  # they would take from runs what outlives the agent
    words = shlex.split(unit["ExecStart"][0])[1:]
    assert words[:3] == ["agent", "start", "process"]
    options = parsed(start.commands["process"], *words[3:])
    assert (options["name"], options["capacity"], options["roots"]) == ("edge-01", 16, ("/srv/flows",))
    assert options["listen"] == ("127.0.0.1", 4210)


def test_the_unit_of_an_agent_that_is_root_lets_runs_become_other_users() -> None:
    unit = sections(printed(*SYSTEMD, "--user", "root"))
    assert unit["User"] == ["root"] and not {"NoNewPrivileges", "RestrictSUIDSGID"} & set(unit)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
@pytest.mark.parametrize("more", [(), ("--user", "root"), ODD], ids=["plain", "root", "odd"])
def test_systemd_takes_the_unit(more: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "appliance-agent-edge-01.service"
    unit = printed(*SYSTEMD, *more, "--executable", "/bin/true")
    file.write_text(unit.replace("DelegateSubgroup=agent\n", ""))  # from systemd 254 on; earlier ones ignore it
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "edge-01" in line]) == (0, []), done.stderr


def test_systemd_and_a_shell_differ_in_two_characters() -> None:
    """Those that systemd replaces are doubled."""
    [line] = sections(printed(*SYSTEMD, *ODD))["ExecStart"]
    words = [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(line)]
    assert words[words.index("--label") + 1] == ODD[1] and words[words.index("--env") + 1] == ODD[3]


# --- services of Compose


def has_compose() -> bool:
    return (
        shutil.which("docker") is not None
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False, timeout=60
        ).returncode
    )


def test_a_service_says_what_it_is_and_the_command_is_the_same() -> None:
    text = printed(*DOCKER, *ODD)
    assert "is root on this machine" in text.splitlines()[0]
    [line] = [line for line in text.splitlines() if line.startswith("#   docker run ")]
    words = shlex.split(line.lstrip("# ").replace("$PWD", "/here"))
    started = words[words.index("appliance:local") + 1 :]
    options = parsed(start.commands["docker"], *started[3:])
    assert (options["labels"], options["env"]) == ((ODD[1],), {"GREETING": "it's 100% $HOME"})
    assert "/here/edge-02.token:/run/secrets/token:ro" in words and "unless-stopped" in words
    command = next(line for line in text.splitlines() if line.startswith("    command: "))
    assert [word.replace("$$", "$") for word in json.loads(command.partition(": ")[2])] == started


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_compose_takes_the_service(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    printed(*DOCKER, *ODD, "--output", str(file))
    command = ["docker", "compose", "--file", str(file), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    service = json.loads(done.stdout)["services"]["agent"]
    assert [mount["target"] for mount in service["volumes"]] == ["/var/run/docker.sock", "/agent"]
    assert service["restart"] == "unless-stopped" and service["cap_drop"] == ["ALL"]
    assert service["healthcheck"]["test"] == ["CMD", "appliance", "health", "--agent", "9100"]
    assert service["environment"]["APPLIANCE_TOKEN_FILE"] == "/run/secrets/token"
    assert ODD[1] in [word.replace("$$", "$") for word in service["command"]]


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_the_agent_joins_the_network_of_its_runs(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    printed(*DOCKER, "--network", "host", "--server-url", "http://127.0.0.1:4200", "--output", str(file))
    command = ["docker", "compose", "--file", str(file), "config", "--format", "json"]
    config = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert config["services"]["agent"]["network_mode"] == "host"
    [line] = [line for line in printed(*DOCKER, "--network", "site").splitlines() if "docker run" in line]
    words = shlex.split(line.lstrip("# "))
    of_the_agent, of_runs = words[: words.index("appliance:local")], words[words.index("appliance:local") :]
    assert of_the_agent[of_the_agent.index("--network") + 1] == of_runs[of_runs.index("--network") + 1] == "site"


# --- bad values


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*SYSTEMD, "--user", "two words"), "'two words' is not the name of a user; write it like appliance-agent."),
        ((*SYSTEMD, "--server-url", "orchestrator"), "is not the URL of a server; write it like http://orchestrator:4200."),
        ((*SYSTEMD, "--label", "a\nb"), "has characters that can't be printed; write one line of plain text."),
        ((*SYSTEMD, "--env", "TZ"), "'TZ' has no name and value; write it as in --env TZ=Europe/Zurich."),
        ((*SYSTEMD, "--listen", "all"), "'all' is no address to listen on; write it like 9100 or 0.0.0.0:9100."),
        ((*DOCKER, "--agent-image", ""), "Write one line of plain text."),
        ((*DOCKER, "--server-url", "http://127.0.0.1:4200"), "Containers don't reach the server at http://127.0.0.1:4200"),
        (("start", "process", "--listen", "localhost:http"), "is no address to listen on; write it like 9100 or 0.0.0.0:9100."),
        (("start", "process", "--listen", ":9100"), "is no address to listen on"),
    ],
)  # fmt: skip
def test_a_bad_value_is_told_in_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = run(*words)
    assert done.exit_code in (1, 2) and sentence in done.output, done.output


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_text("mine")
    done = run(*DOCKER, "--output", str(file))
    assert (done.exit_code, file.read_text()) == (1, "mine")
    assert "There is a file" in done.output
