"""A site's first day in one script: it is claimed, users and tokens come and go, space is looked after. The counterpart of `workload.py` for
the actions that no run needs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.protocol.automations import Action, CreateAutomation, EditAutomation
from appliance.protocol.saved_views import EditView, SaveView
from appliance.protocol.secrets import PutSecret
from appliance.protocol.tokens import CreateToken, RotateToken
from appliance.protocol.users import ChangePassword, CreateUser, EditUser, Login, SetPassword, Setup
from appliance.server.actions import (
    agent_states,
    agents,
    automations,
    deliveries,
    disk,
    log_search,
    lost_agents,
    passwords,
    presence,
    projects,
    quotas,
    restored,
    rollups,
    run_names,
    saved_views,
    schedules,
    secret_keys,
    secrets,
    sessions,
    setup,
    soundness,
    tokens,
    users,
)
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.report_rows import log_row
from appliance.server.actions.retention import Sweep, keep_of
from appliance.server.auth import sessions as credentials
from appliance.server.auth import tokens as bearers
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.backups import COPIED
from appliance.server.db.reads import secrets as read_secrets
from appliance.server.db.reads import sessions as reads
from appliance.server.db.reads.log_search import FILL as LINES
from appliance.server.db.reads.run_names import FILL
from appliance.server.db.session import Database
from appliance.server.db.writes import logs, settings
from appliance.server.errors import ServerError
from appliance.server.services.notifier import Notifier
from appliance.server.services.scheduler import Scheduler
from tests.integration import builders

PASSWORD = "correct-horse-battery"
ANOTHER = "another-horse-battery"
FROM_ENVIRONMENT = "apl_user_" + "e" * 43
VALUE = "a value that only runs read"
LIFETIME = timedelta(days=1)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
DAILY = {"kind": "cron", "cron": "0 6 * * *", "timezone": "UTC"}


class Administration:
    """The same shape as `Workload`; whoever runs the script again after a crash asks for everything once more."""

    def __init__(self, db: Database, journal: Path, time: datetime) -> None:
        self.db, self.time, self.folder = db, time, journal.absolute().parent

    def script(self) -> None:
        with clock.stopped(lambda: self.time):
            for step in (
                self.claim,
                self.come_and_go,
                self.hand_out,
                self.keep_views,
                self.hear_of_failures,
                self.keep_secrets,
                self.look_after,
                self.plan,
                self.close,
                self.restore,
            ):
                step()

    def settle(self) -> None:
        """Nothing of it goes on by itself."""

    def restore(self) -> None:
        """The first start of a copy, in which runs and due times that were not planned lie in the past."""
        builders.create(self.db, builders.register(self.db, schedules=[DAILY]).flow_id)
        with self.db.write() as session:
            settings.put(session, COPIED, clock.isoformat(self.time), self.time)
        restored.settle(self.db, self.time + timedelta(days=30))
        soundness.check(self.db, self.time)

    def claim(self) -> None:
        once(lambda: setup.use_setup(self.db, self.setup(), LIFETIME))
        setup.ensure_admin(self.db, "", FROM_ENVIRONMENT)
        setup.issue_agent_token(self.db, "embedded")
        setup.note_agents_user(self.db, "only root can")

    def setup(self) -> Setup:
        return Setup(token=setup.create_setup_token(self.db), username="admin", password=PASSWORD)

    def come_and_go(self) -> None:
        once(lambda: users.create(self.db, SYSTEM, CreateUser(username="bob", password=PASSWORD)))
        bob = id_of(self.db, "bob")
        passwords.set_for(self.db, SYSTEM, bob, SetPassword(password=PASSWORD), None)
        login = Login(username="bob", password=PASSWORD)
        for _ in range(2):
            opened = sessions.sign_in(self.db, login, LIFETIME)
        with self.db.read() as session:
            row = reads.by_hash(session, ids.sha256(opened.cookie))
        assert row is not None
        credentials.touch(self.db, row.id, self.time + credentials.TOUCH_AFTER)
        sessions.sign_out(self.db, row.id, SYSTEM)
        change = ChangePassword(current=PASSWORD, new=ANOTHER)
        passwords.change(self.db, opened.actor, change, None)
        self.take_back()

    def take_back(self) -> None:
        """Carol gets other rights and another password, and is deleted in the end."""
        once(lambda: users.create(self.db, SYSTEM, CreateUser(username="carol", password=PASSWORD)))
        carol = id_of(self.db, "carol")
        users.edit(self.db, SYSTEM, carol, EditUser(role="operator"))
        setup.reset_admin(self.db, "carol", PASSWORD)
        opened = sessions.sign_in(self.db, Login(username="carol", password=PASSWORD), LIFETIME)
        with self.db.read() as session:
            row = reads.by_hash(session, ids.sha256(opened.cookie))
        assert row is not None
        sessions.end_own(self.db, opened.actor, row.id)
        users.end_sessions(self.db, SYSTEM, carol)
        users.delete(self.db, SYSTEM, carol)

    def hand_out(self) -> None:
        kept, gone = (
            tokens.create(self.db, SYSTEM, CreateToken(name=name, username="admin")) for name in ("kept", "gone")
        )
        bearers.touch(self.db, kept.view.id, self.time + bearers.TOUCH_AFTER)
        tokens.rotate(self.db, SYSTEM, gone.view.id, RotateToken())
        tokens.revoke(self.db, SYSTEM, gone.view.id)

    def keep_views(self) -> None:
        """Bob saves a view, with which the page of runs then opens, and another one, which he deletes."""
        bob = Actor(kind="user", name="bob", role="viewer", user_id=id_of(self.db, "bob"))
        kept = saved_views.save(self.db, bob, SaveView(name="Late", q="state:late"))
        saved_views.edit(self.db, bob, kept, EditView(default=True))
        saved_views.delete(self.db, bob, saved_views.save(self.db, bob, SaveView(name="Gone")))

    def hear_of_failures(self) -> None:
        """An automation waits for failures of runs; another one is deleted. What is made for it can't be sent, is settled, and sent again.
        A third one sets a limit."""
        action = Action(kind="syslog", url="udp://127.0.0.1:1")
        request = CreateAutomation(name="failures", events=["run.cancelled"], action=action)
        once(lambda: automations.create(self.db, SYSTEM, request))
        [kept] = builders.rows(self.db, "select id from automation where name = 'failures'")
        automations.edit(self.db, SYSTEM, UUID(str(kept["id"])), EditAutomation(at_most=100))
        gone = CreateAutomation(name="gone", events=["run.failed"], action=action)
        once(lambda: automations.delete(self.db, SYSTEM, automations.create(self.db, SYSTEM, gone)))
        flow = builders.register(self.db).flow_id
        admin = Actor(kind="user", name="admin", role="admin", user_id=id_of(self.db, "admin"))
        acting = CreateAutomation(
            name="acting", events=["run.cancelled"], action=Action(kind="set_limit", tag="db", slots=5), at_most=100
        )
        once(lambda: automations.create(self.db, admin, acting))
        cancel_run(self.db, SYSTEM, builders.create(self.db, flow))
        notifier = Notifier(self.db, Settings())
        notifier.run_once(self.time + timedelta(minutes=1))
        notifier.finish(10)
        for row in builders.rows(self.db, "select id from delivery where state = 'failed'"):
            once(lambda id=row["id"]: deliveries.send_again(self.db, SYSTEM, UUID(str(id)), now=self.time))
        builders.enrol(self.db, "lost")
        lost_agents.note(self.db, self.time + timedelta(hours=1))

    def keep_secrets(self) -> None:
        """One is set twice and read by a run, another is deleted; then everything is sealed with another key."""
        keys = SecretKeys(self.folder / "secrets.key")
        for name, value in (("TOKEN", "old"), ("TOKEN", VALUE), ("GONE", "x")):
            gone = secrets.put(self.db, SYSTEM, keys, PutSecret(project="demo", name=name, secret_value=value))
        secrets.remove(self.db, SYSTEM, gone)
        secret_keys.rotate(self.db, keys)

    def look_after(self) -> None:
        presence.beat(self.db, self.time)
        flow = builders.register(self.db).flow_id
        run = builders.create(self.db, flow, idempotency_key="later", scheduled_time=LATER)
        rollups.advance(self.db, self.time + timedelta(minutes=1))
        with self.db.write("setup") as session:
            settings.put(session, FILL.name, f'"{UUID(int=0)}"', self.time)  # as an upgrade leaves it
            settings.put(session, LINES.name, "5", self.time)
        while run_names.fill(self.db, self.time) or log_search.fill(self.db, self.time):
            pass
        with self.db.write("setup") as session:
            lines = [log_row(run, self.time, "INFO", "flow", "A line that is not in the index yet.")]
            logs.add(session, lines)
            quotas.add_lines(session, lines)
        while log_search.follow(self.db):
            pass
        disk.sample(self.db, self.time)
        disk.note_low(self.db, 1, self.time)
        Sweep(self.db, keep_of(Settings()), self.time, 5.0).run()
        disk.free_space(self.db, replace(SYSTEM, key="free"), Settings(), 365.0)

    def plan(self) -> None:
        projects.ensure_project(self.db, SYSTEM, "another")
        flow = builders.register(self.db, "planned", schedules=[DAILY]).flow_id
        [schedule] = builders.rows(self.db, "select id from schedule where flow_id = :flow", flow=flow)
        schedules.move_planned(self.db, UUID(str(schedule["id"])))

    def close(self) -> None:
        """The site closes for a night. Its agent signs off; the first server that is back notes the outage, and the scheduler settles it."""
        presence.beat(self.db, self.time)
        agent = builders.enrol(self.db)
        agent_states.drain(self.db, SYSTEM, agent)
        agents.sign_off(self.db, SYSTEM, agent)
        agent_states.resume(self.db, SYSTEM, agent)
        agent_states.forget(self.db, SYSTEM, agent)
        self.time += timedelta(hours=8)
        presence.beat(self.db, self.time)
        Scheduler(self.db).run_once(self.time)


def id_of(db: Database, username: str) -> UUID:
    return UUID(str(builders.one(db, 'select id from "user" where username = :name', name=username)["id"]))


def once(action: Callable[[], object]) -> None:
    """What can be done once only is refused to the second script, when the first came so far."""
    with suppress(ServerError):
        action()


def check(db: Database) -> None:
    """After a script that died and another that did not: what can be there once only is there once."""
    users = [row["username"] for row in builders.rows(db, 'select username from "user" order by username')]
    assert users == ["admin", "bob"]
    views = builders.rows(db, "select name, is_default from saved_view")
    assert [(row["name"], bool(row["is_default"])) for row in views] == [("Late", True)]
    live = "select name from api_token where revoked_at is null and name in ('embedded', 'from the environment')"
    assert sorted(row["name"] for row in builders.rows(db, live)) == ["embedded", "from the environment"]
    assert len(builders.rows(db, "select id from project where name = 'another'")) == 1
    assert len(builders.rows(db, "select id from flow_run where idempotency_key = 'later'")) == 1
    assert builders.rows(db, "select value from setting where name = 'setup_token'") == []
    keys = SecretKeys(Path("secrets.key").absolute())
    with db.read() as session:
        kept = list(read_secrets.others(session, "none", None, 10))
    assert [(one.name, secrets.opened(keys, one)) for one in kept] == [("TOKEN", VALUE)]
    assert keys.ids() == [kept[0].key_id]
