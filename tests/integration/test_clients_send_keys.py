"""The Python client and the command line send every change under a key: behind a proxy that loses answers, each has one effect."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest
from litestar.testing import TestClient

from appliance.cli.root import cli, invoke
from appliance.client import (
    admin,
    agents,
    artifacts,
    automations,
    concurrency,
    flow_runs,
    flows,
    jobs,
    known_failures,
    maintenance,
    projects,
    results,
    saved_views,
    schedules,
    secrets,
    system,
)
from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.protocol.automations import Action, CreateAutomation, EditAutomation
from appliance.protocol.flow_runs import CreateFlowRun, EditFlowRun
from appliance.protocol.flows import Registration, RollBack, SetFlowDefaults
from appliance.protocol.jobs import Bulk
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.life_cycle import DeleteTree, EditFlow, EditProject
from appliance.protocol.saved_views import EditView, SaveView
from appliance.protocol.schedules import SkipDueTime
from appliance.protocol.secrets import PutSecret
from appliance.protocol.tokens import CreateToken, RotateToken
from appliance.protocol.users import ChangePassword, CreateUser, EditUser, SetPassword
from appliance.server.app import create_app
from appliance.server.db.session import Database
from tests.integration import mutations as make
from tests.integration.builders import rows
from tests.integration.databases import delete_rows, without_fsync
from tests.integration.server_fixtures import Site, claim, listening

MODULES = (
    admin,
    agents,
    artifacts,
    automations,
    concurrency,
    flow_runs,
    flows,
    jobs,
    maintenance,
    projects,
    results,
    saved_views,
    schedules,
    known_failures,
    secrets,
    system,
)
PASSWORD, ANOTHER = make.PASSWORD, "another horse battery"


OWN_MEANS = ("/preview", "/bundles", "/bundles/ask")
"""What these do twice is the same as once."""


class Lossy:
    """An app behind a proxy that loses the first answers to every change, and answers 502 itself."""

    url: str

    def __init__(self, app: Any) -> None:
        self._app, self.state = app, app.state
        self.lost = 0
        self.keys: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] == "GET" or scope["path"].endswith(OWN_MEANS):
            await self._app(scope, receive, send)
            return
        self.keys.append(dict(scope["headers"])[b"idempotency-key"].decode())
        if self.keys.count(self.keys[-1]) > self.lost:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _nobody_hears)
        await send({"type": "http.response.start", "status": 502, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def _nobody_hears(_message: Any) -> None:
    pass


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One that only `listening` starts. What clients send is the same for every database; that a server keeps to keys on each,
    test_lost_answers shows."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(sqlite_template, folder / "appliance.db")
    database = without_fsync(Database(f"sqlite:///{folder / 'appliance.db'}"))
    settings = Settings(data_dir=str(folder))
    app = create_app(settings, database)
    return Site(app, TestClient(app), database, settings=settings)


@pytest.fixture(scope="module")
def proxy(server: Site) -> Iterator[Lossy]:
    lossy = Lossy(server.app)
    with listening(lossy) as lossy.url:  # type: ignore[arg-type]
        yield lossy


@pytest.fixture
def site(server: Site) -> Site:
    delete_rows(server.database.engine)
    return replace(server, tokens=claim(server.database))


@pytest.fixture
def lossy(site: Site, proxy: Lossy) -> Lossy:
    proxy.lost, proxy.keys = 3, []
    return proxy


@pytest.fixture
def transport(site: Site, lossy: Lossy) -> Iterator[Transport]:
    with Transport(lossy.url, site.tokens["admin"], sleep=lambda _seconds: None) as transport:
        yield transport


def _due_time(site: Site) -> SkipDueTime:
    return SkipDueTime(at=datetime.fromisoformat(make.due_time(site)))


AUTOMATION = CreateAutomation(
    name="failures", events=["run.failed"], action=Action(kind="email", to=["ops@example.org"])
)
Change = Callable[[Transport, Site], object]
CHANGES: dict[str, Change] = {
    "admin.create_user": lambda to, _site: admin.create_user(to, CreateUser(username="dora", password=PASSWORD)),
    "admin.change_password": lambda to, site: (
        make.own_password(site),
        admin.change_password(to, ChangePassword(current=PASSWORD, new=ANOTHER)),
    ),
    "admin.set_password": lambda to, site: admin.set_password(to, make.user(site), SetPassword(password=PASSWORD)),
    "admin.edit_user": lambda to, site: admin.edit_user(to, make.user(site), EditUser(disabled=True)),
    "admin.delete_user": lambda to, site: admin.delete_user(to, make.user(site)),
    "admin.end_sessions": lambda to, site: admin.end_sessions(to, make.user(site)),
    "admin.end_session": lambda to, site: admin.end_session(to, make.own_session(site)),
    "admin.rotate_token": lambda to, site: admin.rotate_token(to, make.token(site), RotateToken()),
    "admin.create_token": lambda to, _site: admin.create_token(to, CreateToken(name="ci")),
    "admin.delete_token": lambda to, site: admin.delete_token(to, make.token(site)),
    "agents.drain": lambda to, site: agents.drain(to, make.agent(site)),
    "agents.resume": lambda to, site: agents.resume(to, make.drained_agent(site)),
    "agents.forget": lambda to, site: agents.forget(to, make.gone_agent(site)),
    "automations.create": lambda to, _site: automations.create(to, AUTOMATION),
    "automations.edit": lambda to, site: automations.edit(to, make.automation(site), EditAutomation(enabled=False)),
    "automations.delete": lambda to, site: automations.delete(to, make.automation(site)),
    "automations.test": lambda to, site: automations.test(to, make.automation(site)),
    "automations.send_again": lambda to, site: automations.send_again(to, make.delivery(site)),
    "concurrency.put": lambda to, _site: concurrency.put(to, "label", "gpu", 3),
    "concurrency.delete": lambda to, site: concurrency.delete(to, make.limit(site)),
    "results.remove": lambda to, site: results.remove(to, make.kept_result(site)),
    "artifacts.remove": lambda to, site: artifacts.remove(to, make.artifact(site)),
    "known_failures.mark": lambda to, site: known_failures.mark(to, MarkFailure(flow_run_id=make.ended(site))),
    "known_failures.unmark": lambda to, site: known_failures.unmark(to, make.known_failure(site)),
    "saved_views.save": lambda to, _site: saved_views.save(to, SaveView(name="failed")),
    "saved_views.edit": lambda to, site: saved_views.edit(to, make.view(site), EditView(name="later")),
    "saved_views.delete": lambda to, site: saved_views.delete(to, make.view(site)),
    "secrets.put": lambda to, _site: secrets.put(to, PutSecret(project="demo", name="TOKEN", secret_value="a value")),
    "secrets.delete": lambda to, site: secrets.delete(to, make.secret(site)),
    "flow_runs.create": lambda to, site: flow_runs.create(to, CreateFlowRun(flow_id=make.flow(site))),
    "flow_runs.cancel": lambda to, site: flow_runs.cancel(to, make.planned(site)),
    "flow_runs.pause": lambda to, site: flow_runs.pause(to, make.planned(site)),
    "flow_runs.resume": lambda to, site: flow_runs.resume(to, make.paused(site)),
    "flow_runs.restart": lambda to, site: flow_runs.restart(to, make.ended(site)),
    "flow_runs.mark": lambda to, site: flow_runs.mark(to, make.ended(site), "Success"),
    "flow_runs.start_now": lambda to, site: flow_runs.start_now(to, make.planned(site)),
    "flow_runs.edit": lambda to, site: flow_runs.edit(to, make.planned(site), EditFlowRun(priority=4)),
    "flow_runs.delete": lambda to, site: flow_runs.delete(to, make.planned(site)),
    "flows.edit": lambda to, site: flows.edit(to, make.flow(site), EditFlow(name="renamed")),
    "flows.set_defaults": lambda to, site: flows.set_defaults(to, make.flow(site), SetFlowDefaults(labels=["big"])),
    "flows.set_run_timeout": lambda to, site: flows.set_run_timeout(to, make.flow(site), 60.0),
    "flows.roll_back": lambda to, site: flows.roll_back(to, make.changed_flow(site), RollBack(to=1)),
    "flows.delete": lambda to, site: flows.delete(to, make.flow(site), DeleteTree()),
    "projects.edit": lambda to, site: projects.edit(to, make.project(site), EditProject(archived=True)),
    "projects.delete": lambda to, site: projects.delete(to, make.project(site), DeleteTree()),
    "flows.register": lambda to, _site: flows.register(to, Registration(**make.registration())),
    "jobs.bulk": lambda to, site: jobs.bulk(to, Bulk(action="edit", ids=[make.planned(site)], priority=3)),
    "jobs.backfill": lambda to, site: jobs.backfill(to, make.a_backfill(site)),
    "jobs.cancel": lambda to, site: jobs.cancel(to, make.job(site)),
    "jobs.release_hold": lambda to, site: jobs.release_hold(to, make.held(site)["reason"]),
    "jobs.skip_held": lambda to, site: jobs.skip_held(to, make.held(site)["reason"]),
    "maintenance.begin": lambda to, _site: maintenance.begin(to, "new disks"),
    "maintenance.end": lambda to, site: (make.in_maintenance(site), maintenance.end(to)),
    "schedules.create": lambda to, site: schedules.create(to, make.flow(site), {"document": make.CRON}),
    "schedules.edit": lambda to, site: schedules.edit(to, make.schedule(site), {"overlap": "skip"}),
    "schedules.set_active": lambda to, site: schedules.set_active(to, make.schedule(site), False),
    "schedules.skip": lambda to, site: schedules.skip(to, make.schedule(site), _due_time(site)),
    "schedules.unskip": lambda to, site: schedules.unskip(to, make.schedule_that_skips(site), _due_time(site)),
    "schedules.delete": lambda to, site: schedules.delete(to, make.schedule(site)),
    "system.free_space": lambda to, _site: system.free_space(to, 1.0),
}


def test_every_function_that_changes_something_is_here() -> None:
    changing = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if any(word in inspect.getsource(function) for word in ("transport.change(", "transport.remove(", "_change("))
    }
    assert changing == set(CHANGES)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_client(site: Site, lossy: Lossy, transport: Transport, name: str) -> None:
    CHANGES[name](transport, site)
    assert lossy.keys == [lossy.keys[0]] * 4
    told = rows(site.database, "select verb from request_key")
    assert len(told) == 1, "the change was carried out once"


# --- the command line

COMMANDS: dict[str, Callable[[Site], list[str]]] = {
    "run": lambda site: ["etl", "--project", f"{make.flow(site) and 'demo'}"],
    "cancel": lambda site: [str(make.planned(site))],
    "pause": lambda site: [str(make.planned(site))],
    "resume": lambda site: [str(make.paused(site))],
    "restart": lambda site: [str(make.ended(site))],
    "mark": lambda site: [str(make.ended(site)), "Success"],
    "start-now": lambda site: [str(make.planned(site))],
    "edit": lambda site: [str(make.planned(site)), "--priority", "4"],
    "delete": lambda site: [str(make.planned(site))],
    "backfill": lambda site: _backfill(site),
    "schedule add": lambda site: ["etl", "--project", f"{make.flow(site) and 'demo'}", "--cron", "0 6 * * *"],
    "schedule edit": lambda site: [str(make.schedule(site)), "--overlap", "skip"],
    "schedule pause": lambda site: [str(make.schedule(site))],
    "schedule resume": lambda site: [str(make.schedule(site))],
    "schedule skip": lambda site: [str(make.schedule(site)), make.due_time(site)],
    "schedule unskip": lambda site: [str(make.schedule_that_skips(site)), make.due_time(site)],
    "schedule delete": lambda site: [str(make.schedule(site))],
    "token create": lambda _site: ["ci"],
    "token revoke": lambda site: [str(make.token(site))],
    "token rotate": lambda site: [str(make.token(site))],
    "user edit": lambda site: [str(make.user(site)), "--role", "operator"],
    "user disable": lambda site: [str(make.user(site))],
    "user enable": lambda site: [str(make.user(site))],
    "user delete": lambda site: [str(make.user(site)), "--yes"],
    "user sign-out": lambda site: [str(make.user(site))],
    "user create": lambda _site: ["dora", "--password-file", "password"],
    "user password": lambda site: list(
        filter(None, [make.own_password(site), "--current-password-file", "password", "--password-file", "another"])
    ),
    "agent drain": lambda site: [str(make.agent(site))],
    "agent resume": lambda site: [str(make.drained_agent(site))],
    "agent forget": lambda site: [str(make.gone_agent(site))],
    "limit set": lambda _site: ["label", "gpu", "3"],
    "limit timeout": lambda site: [str(make.flow(site)), "2h"],
    "limit remove": lambda site: [str(make.limit(site))],
    "failure mark": lambda site: [str(make.ended(site))],
    "failure unmark": lambda site: [str(make.known_failure(site))],
    "automation create": lambda _site: ["failures", "--on", "run.failed", "--email", "ops@example.org"],
    "automation edit": lambda site: [str(make.automation(site)), "--at-most", "1/hour"],
    "automation enable": lambda site: [str(make.automation(site))],
    "automation disable": lambda site: [str(make.automation(site))],
    "automation delete": lambda site: [str(make.automation(site)), "--yes"],
    "automation send-again": lambda site: [str(make.delivery(site))],
    "view save": lambda _site: ["failed", "--query", "state:failed"],
    "view default": lambda site: [str(make.view(site))],
    "view rename": lambda site: [str(make.view(site)), "later"],
    "view delete": lambda site: [str(make.view(site))],
    "secret set": lambda _site: ["TOKEN", "--project", "demo", "--from-file", "password"],
    "secret delete": lambda site: [*filter(None, [make.secret(site) and "OLD"]), "--project", "demo", "--yes"],
    "artifact delete": lambda site: [str(make.artifact(site)), "--yes"],
    "result delete": lambda site: [str(make.kept_result(site)), "--yes"],
    "maintenance begin": lambda _site: ["--reason", "new disks", "--for", "90m"],
    "maintenance end": lambda site: list(filter(None, [make.in_maintenance(site)])),
    "disk free": lambda _site: [],
    "hold release": lambda site: ["--reason", make.held(site)["reason"]],
    "hold skip": lambda site: ["--reason", make.held(site)["reason"]],
    "job cancel": lambda site: [str(make.job(site))],
    "register": lambda _site: ["etl.py", "--project", "demo"],
    "deploy": lambda _site: [".", "--project", "demo", "--yes"],
    "flow rename": lambda site: [str(make.flow(site)), "renamed"],
    "flow pause": lambda site: [str(make.flow(site))],
    "flow resume": lambda site: [str(make.flow(site))],
    "flow rollback": lambda site: [str(make.changed_flow(site)), "--to", "1"],
    "flow archive": lambda site: [str(make.flow(site))],
    "flow defaults": lambda site: [str(make.flow(site)), "--env", "MODE=full"],
    "flow unarchive": lambda site: [str(make.flow(site))],
    "flow delete": lambda site: [str(make.flow(site)), "--yes"],
    "project rename": lambda site: [str(make.project(site)), "renamed"],
    "project pause": lambda site: [str(make.project(site))],
    "project resume": lambda site: [str(make.project(site))],
    "project archive": lambda site: [str(make.project(site))],
    "project unarchive": lambda site: [str(make.project(site))],
    "project delete": lambda site: [str(make.project(site)), "--yes"],
    **{
        f"bulk {verb}": lambda site: ["--run", str(make.planned(site)), "--yes"]
        for verb in ("cancel", "pause", "start-now", "delete")
    },
    "bulk resume": lambda site: ["--run", str(make.paused(site)), "--yes"],
    "bulk restart": lambda site: ["--run", str(make.ended(site)), "--yes"],
    "bulk mark": lambda site: ["Success", "--run", str(make.ended(site)), "--yes"],
    "bulk edit": lambda site: ["--run", str(make.planned(site)), "--priority", "4", "--yes"],
}
CHANGE_NOTHING = {
    *(
        "flow diff",
        "flow history",
        "flow tasks",
        "project list",
        *(f"artifact {verb}" for verb in ("list", "show", "download")),
        "bundle list",
        *(f"bundle key {verb}" for verb in ("new", "add", "switch", "remove", "list")),
        "agent environments list",
        "agent environments remove",
    ),
    *("get flow-runs", "get flows", "get agents", "get schedules", "get task-runs", "get versions", "logs", "version"),
    *(
        "schedule next",
        "schedule skips",
        "token list",
        "user list",
        "user sessions",
        "limit list",
        "secret list",
        "failure list",
        "view list",
        *(f"automation {verb}" for verb in ("list", "show", "test", "dry-run", "deliveries")),
        "result list",
        "maintenance show",
        "disk show",
        "hold show",
        "tasks list",
        "tasks show",
    ),
    *(
        "job list",
        "job show",
        "start",
        "server",
        "services",
        "agent start process",
        "agent process",
        "health",
        "completion",
    ),
    *("backup create", "backup list", "backup restore", "backup verify", "doctor rows"),
    *("login", "logout", "profile list", "profile use", "admin reset", "admin setup-link"),
    *("admin secrets-key list", "admin secrets-key add", "admin secrets-key rotate"),
    *("agent start docker", "agent docker", "agent start kubernetes", "admin agent-token"),
    *("agent install systemd", "agent install docker", "agent install kubernetes"),
    *("image build", "image dockerfile", "image list", "image export", "image import", "image prune"),
    *("agent match", "agent runs", "agent roots list", "agent roots add", "agent roots remove"),
}
"""Commands that change nothing on a server, because they only read, work on files, or are the appliance themselves."""


ONCE = {"flow delete", "project delete", "secret delete"}
"""Commands that look for their object by name first; afterwards there is none."""


def _backfill(site: Site) -> list[str]:
    body = make.backfill(site)
    return ["--schedule", body["schedule_id"], "--start", body["start"], "--end", body["end"], "--yes"]


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        elif command is not None:
            yield prefix + name, command


def test_every_command_that_changes_something_takes_a_key() -> None:
    commands = dict(_commands(cli))
    taking = {
        name
        for name, command in commands.items()
        if any("--idempotency-key" in option.opts for option in command.params)
    }
    assert taking == set(COMMANDS)
    assert set(commands) - taking == CHANGE_NOTHING


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_command_line(site: Site, lossy: Lossy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "another").write_text(ANOTHER)
    (tmp_path / "etl.py").write_text("from appliance import Flow\n\nwith Flow('etl') as flow:\n    pass\n")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    lossy.lost = 1
    arguments = COMMANDS[name](site)
    monkeypatch.setenv("APPLIANCE_URL", lossy.url)
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    options = [] if name.startswith(("disk", "token", "user")) else ["--idempotency-key", "by hand"]
    times = 2 if options and name not in ONCE else 1
    for _ in range(times):
        assert invoke([*name.split(), *arguments, *options]) == 0
    assert lossy.keys == [lossy.keys[0]] * (times + 1)
    assert (lossy.keys[0] == "by hand") == bool(options)
    assert len(rows(site.database, "select verb from request_key")) == 1


def test_a_command_with_several_changes_numbers_their_keys(site: Site) -> None:
    transport = Transport("http://127.0.0.1:1", key="k")
    assert [transport.new_key() for _ in range(3)] == ["k", "k/2", "k/3"]
    assert UUID(Transport("http://127.0.0.1:1").new_key().removeprefix("client-"))
