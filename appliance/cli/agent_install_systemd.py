"""`appliance agent install systemd`: a unit that keeps a process agent running."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import click

from appliance.cli.agent_install_options import give, install_options, one_line, slug, start_command
from appliance.cli.values import Address

EPILOG = """\b
Examples:
  appliance agent install systemd --name edge-01 --server-url http://orchestrator:4200 --root /srv/flows
  appliance agent install systemd --name edge-01 --label gpu --slots 16 --output appliance-agent-edge-01.service

As root, the agent can start runs as other users: --user root."""

_UNIT = """\
# Keeps agent {name} running. As root:
#   1. {add_user}
#   2. appliance token create {slug} --scope agent, and then, with what it prints:
#      install -d -m 0755 /etc/appliance
#      (umask 077; echo APPLIANCE_TOKEN=TOKEN > /etc/appliance/{slug}.env)
#   3. Save this as /etc/systemd/system/{unit}.service
#   4. systemctl daemon-reload && systemctl enable --now {unit}
# systemd alone reads the token. A credential (LoadCredential=) would be open to runs, which work as the same user.
[Unit]
Description=Appliance agent {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
StateDirectory={unit}
StateDirectoryMode=0700
WorkingDirectory=%S/{unit}
Environment={url}
Environment=APPLIANCE_DATA_DIR=%S/{unit}
EnvironmentFile=/etc/appliance/{slug}.env
ExecStart={start}

# It is started again whatever happens, and takes up the runs that it has left.
Restart=always
RestartSec=5
TimeoutStopSec=30
# Runs outlive the agent: a stop ends the agent alone, and a run that takes too much memory ends alone.
KillMode=process
OOMPolicy=continue
# Runs may get control groups of their own.
Delegate=yes
DelegateSubgroup=agent

# Runs inherit all of this. PrivateTmp= would remove their files in /tmp when the agent stops, and ProtectHome= would hide flows there.
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
LockPersonality=yes
{privileges}

[Install]
WantedBy=multi-user.target
"""


_USER = (
    "useradd --system --create-home --home-dir /home/{user} {user}",
    "NoNewPrivileges=yes\nRestrictSUIDSGID=yes",
)
_ROOT = (
    "The agent works as root, so that runs can work as the users in APPLIANCE_AGENT_USERS.",
    "# NoNewPrivileges= would keep runs from becoming other users.",
)


def _account(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", value, re.ASCII):
        raise click.BadParameter(f"{value[:80]!r} is not the name of a user; write it like appliance-agent.")
    return value


def _listener(context: click.Context, parameter: click.Parameter, value: str) -> str:
    Address().convert(value, parameter, context)
    return value


@click.command(epilog=EPILOG)
@install_options
@click.option("--user", default="appliance-agent", show_default=True, callback=_account, help="As whom it works.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="DIR",
    help="A folder from which the agent takes code (repeatable) [the user's home].",
)
@click.option(
    "--listen",
    default="4210",
    show_default=True,
    callback=_listener,
    metavar="[HOST:]PORT",
    help="Where it answers /health and /metrics.",
)
@click.option(
    "--executable",
    callback=one_line,
    default=lambda: shutil.which("appliance") or "/usr/local/bin/appliance",
    show_default="the one here",
    help="Where the command appliance is on the agent's machine.",
)
def systemd(
    name: str,
    labels: tuple[str, ...],
    capacity: int,
    env: dict[str, str],
    server_url: str,
    output: Path | None,
    user: str,
    roots: tuple[str, ...],
    listen: str,
    executable: str,
) -> None:
    """Print a unit of systemd for a process agent. Runs continue when it stops, and it is started again whatever happens."""
    more = [word for root in roots for word in ("--root", root)]
    words = start_command("process", name, labels, capacity, env, "--listen", listen, *more)
    add_user, privileges = _ROOT if user == "root" else _USER
    unit = _UNIT.format(
        name=name.replace("%", "%%"),
        slug=slug(name),
        unit=f"appliance-agent-{slug(name)}",
        user=user,
        url=_quoted([f"APPLIANCE_URL={server_url}"]),
        start=_quoted([executable, *words], dollars="$$"),
        add_user=add_user.format(user=user),
        privileges=privileges,
    )
    give(unit, output)


def _quoted(words: Iterable[str], dollars: str = "$") -> str:
    """As systemd reads a line of words."""
    escaped = (
        word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollars) for word in words
    )
    return " ".join(f'"{word}"' if not word or set(word) & set(" '\";") else word for word in escaped)
