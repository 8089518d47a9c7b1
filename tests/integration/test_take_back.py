"""What was given can be taken: roles, accounts, sessions and tokens, by whom, and when it counts."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from appliance.cli.root import cli
from appliance.config import Settings
from appliance.kit import clock
from appliance.protocol.tokens import CreateToken, RotateToken
from appliance.protocol.users import EditUser, Login
from appliance.server.actions import sessions, setup, tokens, users
from appliance.server.app import create_app
from appliance.server.auth import passwords
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.auth.sessions import COOKIE
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as settings_of
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid
from tests.integration.builders import one, rows
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, add_token, add_user, claim, listening

__all__ = ["database", "site"]

PASSWORD = "correct horse battery"
DAY = timedelta(days=1)


@pytest.fixture
def maria(site: Site) -> UUID:
    """A second administrator, with a password and a token."""
    user = add_user(site.database, "maria", "admin", passwords.hash_password(PASSWORD))
    site.tokens["maria"] = add_token(site.database, "maria")
    return user


def signed_in(site: Site, username: str = "maria", password: str = PASSWORD) -> dict[str, str]:
    """The headers of a browser session."""
    opened = sessions.sign_in(site.database, Login(username=username, password=password), DAY)
    return {"Cookie": f"{COOKIE}={opened.cookie}", "X-CSRF-Token": opened.csrf_token}


def me(site: Site, headers: dict[str, str]) -> int:
    return int(site.client.get("/api/v1/me", headers=headers).status_code)


def patch(site: Site, user: UUID, principal: str = "admin", **body: Any) -> Any:
    return site.client.patch(f"/api/v1/users/{user}", json=body, headers=site.headers(principal))


def delete(site: Site, path: str, principal: str = "admin") -> int:
    return int(site.client.delete(f"/api/v1{path}", headers=site.headers(principal)).status_code)


def user_id(site: Site, name: str) -> UUID:
    return UUID(str(one(site.database, 'select id from "user" where username = :name', name=name)["id"]))


# --- users


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(site: Site, maria: UUID) -> None:
    browser = signed_in(site)
    answer = patch(site, maria, disabled=True)
    assert (answer.status_code, answer.json()["disabled"]) == (200, True)
    assert me(site, browser) == 401
    assert site.get("/api/v1/me", "maria").status_code == 401
    with pytest.raises(Exception, match="wrong"):
        signed_in(site)
    assert patch(site, maria, disabled=False).json()["disabled"] is False
    assert site.get("/api/v1/me", "maria").status_code == 200
    assert me(site, browser) == 401, "the sessions have ended for good"
    assert me(site, signed_in(site)) == 200


def test_a_new_role_counts_for_open_sessions_and_tokens(site: Site, maria: UUID) -> None:
    browser = signed_in(site)
    assert patch(site, maria, role="viewer").json()["role"] == "viewer"
    assert site.get("/api/v1/users", "maria").status_code == 403
    assert site.client.get("/api/v1/users", headers=browser).status_code == 403
    [event] = rows(site.database, "select actor, data from event where kind = 'user.edited'")
    assert event["actor"] == "admin"


def test_a_deleted_user_is_gone_with_sessions_and_tokens(site: Site, maria: UUID) -> None:
    browser = signed_in(site)
    assert delete(site, f"/users/{maria}") == 204
    assert (me(site, browser), site.get("/api/v1/me", "maria").status_code) == (401, 401)
    for table in ("session", "api_token"):
        assert rows(site.database, f"select id from {table} where user_id = :id", id=str(maria)) == []
    assert delete(site, f"/users/{maria}") == 404


@pytest.mark.parametrize("body", [{"disabled": True}, {"role": "viewer"}])
def test_nobody_takes_their_own_account_away(site: Site, maria: UUID, body: dict[str, Any]) -> None:
    answer = patch(site, maria, "maria", **body)
    assert answer.status_code == 409
    assert "another administrator can" in answer.text
    assert delete(site, f"/users/{maria}", "maria") == 409
    assert site.get("/api/v1/users", "maria").status_code == 200


def test_the_last_administrator_stays(site: Site, maria: UUID) -> None:
    """Also when the one who acts is none: the command on the machine, or a service."""
    admin = user_id(site, "admin")
    users.edit(site.database, SYSTEM, maria, EditUser(disabled=True))
    for change in (EditUser(disabled=True), EditUser(role="operator")):
        with pytest.raises(Conflict, match="the last administrator"):
            users.edit(site.database, SYSTEM, admin, change)
    with pytest.raises(Conflict, match="the last administrator"):
        users.delete(site.database, SYSTEM, admin)


def test_the_appliances_own_agent_survives_its_owner(site: Site, maria: UUID) -> None:
    """Its token belongs to some administrator, and the tokens of other agents to whoever made them."""
    admin = user_id(site, "admin")
    site.tokens["embedded"] = setup.issue_agent_token(site.database, "embedded")
    acting = Actor(kind="user", name="admin", role="admin", user_id=admin)
    site.tokens["edge"] = tokens.create(site.database, acting, CreateToken(name="edge", scope="agent")).token
    enrol = {"name": "embedded", "type": "process", "capacity": 1}
    assert site.post("/api/v1/agents", enrol, "embedded").status_code == 201
    assert patch(site, admin, "maria", disabled=True).status_code == 200
    assert site.post("/api/v1/agents", enrol, "embedded").status_code == 201
    assert site.post("/api/v1/agents", enrol | {"name": "edge"}, "edge").status_code == 401


def test_what_changes_nothing_is_no_event(site: Site, maria: UUID) -> None:
    assert patch(site, maria, role="admin", disabled=False).status_code == 200
    assert rows(site.database, "select id from event where kind = 'user.edited'") == []


# --- sessions


def test_an_administrator_signs_somebody_out_of_every_browser(site: Site, maria: UUID) -> None:
    browsers = [signed_in(site) for _ in range(2)]
    listed = site.get(f"/api/v1/users/{maria}/sessions", "admin").json()["items"]
    assert len(listed) == 2
    assert not any("token" in field or "csrf" in field for session in listed for field in session)
    assert delete(site, f"/users/{maria}/sessions") == 204
    assert [me(site, browser) for browser in browsers] == [401, 401]
    assert site.get("/api/v1/me", "maria").status_code == 200, "tokens are something else"
    assert site.get(f"/api/v1/users/{maria}/sessions", "viewer").status_code == 403


def test_people_end_their_own_sessions_and_no_others(site: Site, maria: UUID) -> None:
    here, lost = signed_in(site), signed_in(site)
    listed = site.client.get("/api/v1/sessions", headers=here).json()["items"]
    assert sorted(session["current"] for session in listed) == [False, True]
    other = next(session["id"] for session in listed if not session["current"])
    assert delete(site, f"/sessions/{other}", "viewer") == 404, "it isn't theirs"
    assert site.client.delete(f"/api/v1/sessions/{other}", headers=here).status_code == 204
    assert (me(site, here), me(site, lost)) == (200, 401)


def test_a_session_says_from_which_browser_and_address_it_began(site: Site, maria: UUID) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
    for user_agent in (agent, "curl/8.5.0", "\x07<script>" * 200, ""):
        body = {"username": "maria", "password": PASSWORD}
        assert site.client.post("/api/v1/login", json=body, headers={"User-Agent": user_agent}).status_code == 200
        site.client.cookies.clear()
    listed = site.get(f"/api/v1/users/{maria}/sessions", "admin").json()["items"]
    assert sorted(session["browser"] for session in listed) == ["", "", "Firefox on Linux", "curl"]
    assert {session["address"] for session in listed} == {"testclient"}
    own = site.client.get("/api/v1/sessions", headers=signed_in(site)).json()["items"]
    assert [(session["browser"], session["address"]) for session in own if session["current"]] == [("", "")]


def test_a_new_sign_in_ends_the_former_session_of_that_browser(site: Site, maria: UUID) -> None:
    former, elsewhere = signed_in(site), signed_in(site)
    body = {"username": "maria", "password": PASSWORD}
    wrong = site.client.post("/api/v1/login", json=body | {"password": "x"}, headers={"Cookie": former["Cookie"]})
    assert (wrong.status_code, me(site, former)) == (401, 200)
    assert site.client.post("/api/v1/login", json=body, headers={"Cookie": former["Cookie"]}).status_code == 200
    site.client.cookies.clear()
    assert (me(site, former), me(site, elsewhere)) == (401, 200)
    ended = "select kind from event where kind = 'user.session_ended'"  # at which open streams look again
    assert len(rows(site.database, ended)) == 1
    assert site.client.post("/api/v1/logout", headers=elsewhere).status_code == 204
    assert (me(site, elsewhere), len(rows(site.database, ended))) == (401, 2)


@pytest.mark.parametrize(("hours", "ends"), [(24, True), (0, False)])
def test_a_session_that_nobody_uses_ends(site: Site, maria: UUID, hours: float, ends: bool) -> None:
    site.database.rules = Rules(session_idle_hours=hours)
    now = clock.now()
    opened = sessions.sign_in(site.database, Login(username="maria", password=PASSWORD), 7 * DAY)
    lasting = {"Cookie": f"{COOKIE}={opened.cookie}"}
    with clock.stopped(lambda: now + 0.99 * DAY):
        assert me(site, lasting) == 200
    with clock.stopped(lambda: now + 2.5 * DAY):
        assert me(site, lasting) == (401 if ends else 200)


# --- tokens


def test_a_token_ends_after_the_sites_usual_time(site: Site) -> None:
    now = clock.now()
    view = tokens.create(site.database, SYSTEM, CreateToken(name="ci", username="viewer"), now=now).view
    assert view.expires_at == now + 90 * DAY


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        (Rules(token_days=7), 7),
        (Rules(token_days=0, longest_token_days=0), None),
        (Rules(token_days=0, longest_token_days=30), 30),
        (Rules(token_days=90, longest_token_days=30), 30),
    ],
)
def test_the_site_decides_how_long_tokens_last(site: Site, rules: Rules, days: int | None) -> None:
    site.database.rules, now = rules, clock.now()
    view = tokens.create(site.database, SYSTEM, CreateToken(name="ci", username="viewer"), now=now).view
    assert view.expires_at == (None if days is None else now + days * DAY)


def test_nobody_gets_a_longer_token_than_the_site_permits(site: Site) -> None:
    request = CreateToken(name="ci", username="viewer", expires_in=(401 * DAY).total_seconds())
    with pytest.raises(Invalid, match="at most 400 days"):
        tokens.create(site.database, SYSTEM, request)
    site.database.rules = Rules(longest_token_days=0)
    assert tokens.create(site.database, SYSTEM, request).view.expires_at is not None


def test_a_token_is_replaced_with_an_overlap(site: Site) -> None:
    now = clock.now()
    request = CreateToken(name="ci", username="viewer", expires_in=(30 * DAY).total_seconds())
    old = tokens.create(site.database, SYSTEM, request, now=now)
    site.tokens["old"] = old.token
    later = now + 10 * DAY
    new = tokens.rotate(site.database, SYSTEM, old.view.id, RotateToken(overlap=60.0), now=later)
    assert (new.view.name, new.view.username, new.view.scope) == ("ci", "viewer", "user")
    assert new.view.expires_at == later + 30 * DAY
    site.tokens["new"] = new.token
    with clock.stopped(lambda: later + timedelta(seconds=59)):
        assert [site.get("/api/v1/me", name).status_code for name in ("old", "new")] == [200, 200]
    with clock.stopped(lambda: later + timedelta(seconds=61)):
        assert [site.get("/api/v1/me", name).status_code for name in ("old", "new")] == [401, 200]
        with pytest.raises(Conflict, match="has ended"):
            tokens.rotate(site.database, SYSTEM, old.view.id, RotateToken())


@pytest.mark.parametrize("overlap", [-1.0, 31 * 86_400.0])
def test_an_overlap_has_bounds(site: Site, overlap: float) -> None:
    made = tokens.create(site.database, SYSTEM, CreateToken(name="ci", username="viewer"))
    with pytest.raises(Invalid, match="overlap"):
        tokens.rotate(site.database, SYSTEM, made.view.id, RotateToken(overlap=overlap))


# --- the environment, and the way back in


def test_a_changed_password_of_the_environment_replaces_the_former(
    empty_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    database = empty_site.database
    setup.ensure_admin(database, "first secret of the site", "")
    browser = signed_in(empty_site, "admin", "first secret of the site")
    setup.ensure_admin(database, "first secret of the site", "")
    assert me(empty_site, browser) == 200
    setup.ensure_admin(database, "second secret of the site", "")
    assert "APPLIANCE_ADMIN_PASSWORD has changed" in caplog.text
    assert me(empty_site, browser) == 401
    assert me(empty_site, signed_in(empty_site, "admin", "second secret of the site")) == 200


def test_a_password_that_somebody_has_chosen_since_outlives_starts(empty_site: Site) -> None:
    """Only a change of the environment replaces it; so it does on the first start of a release that remembers the environment's."""
    database = empty_site.database
    setup.ensure_admin(database, "first secret of the site", "")
    setup.reset_admin(database, "admin", PASSWORD)
    setup.ensure_admin(database, "first secret of the site", "")
    assert me(empty_site, signed_in(empty_site, "admin")) == 200
    with database.write() as session:
        settings_of.remove(session, "preset_password_hash")
    for _ in range(2):
        setup.ensure_admin(database, "another secret of the site", "")
        assert me(empty_site, signed_in(empty_site, "admin")) == 200


def test_a_revoked_token_of_the_environment_stays_revoked(empty_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    token = "token-from-the-environment"
    setup.ensure_admin(empty_site.database, "", token)
    empty_site.tokens["env"] = token
    [view] = empty_site.get("/api/v1/tokens", "env").json()["items"]
    assert delete(empty_site, f"/tokens/{view['id']}", "env") == 204
    setup.ensure_admin(empty_site.database, "", token)
    assert "APPLIANCE_ADMIN_TOKEN has been revoked" in caplog.text
    assert empty_site.get("/api/v1/me", "env").status_code == 401


@pytest.mark.parametrize("name", ["admin", "viewer", "zoe"])
def test_the_machines_administrator_gets_back_in(site: Site, settings: Settings, name: str, tmp_path: Any) -> None:
    """Somebody disabled, somebody with another role, and somebody new."""
    if name == "admin":
        add_user(site.database, "maria", "admin", None)
        users.edit(site.database, SYSTEM, user_id(site, "admin"), EditUser(disabled=True))
    (tmp_path / "password").write_text(PASSWORD)
    place = ["--database-url", site.database.url, "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, ["admin", "reset", name, "--password-file", str(tmp_path / "password"), *place])
    assert result.exit_code == 0, result.output
    assert site.client.get("/api/v1/users", headers=signed_in(site, name)).status_code == 200
    assert rows(site.database, "select actor from event where kind = 'user.reset'") == [{"actor": "appliance"}]


def test_a_setup_link_can_be_had_again_until_somebody_has_set_up(empty_site: Site, tmp_path: Any) -> None:
    place = ["--database-url", empty_site.database.url, "--data-dir", str(tmp_path), "--json"]
    links = [json.loads(CliRunner().invoke(cli, ["admin", "setup-link", *place]).output)["url"] for _ in range(2)]
    bodies = [{"token": link.partition("/setup#token=")[2], "password": PASSWORD} for link in links]
    told = [empty_site.client.post("/api/v1/setup", json=body) for body in bodies]
    assert [answer.status_code for answer in told] == [403, 201]
    assert "appliance admin setup-link" in told[0].json()["message"]
    refused = CliRunner().invoke(cli, ["admin", "setup-link", *place])
    assert (refused.exit_code, "has been set up already" in refused.output) == (1, True)


def test_a_reset_needs_a_database_and_a_good_password(tmp_path: Any, site: Site) -> None:
    (tmp_path / "password").write_text("short")
    arguments = ["admin", "reset", "--password-file", str(tmp_path / "password"), "--data-dir"]
    nowhere = CliRunner().invoke(cli, [*arguments, str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, "There is no database" in nowhere.output) == (1, True)
    weak = CliRunner().invoke(cli, [*arguments, str(tmp_path), "--database-url", site.database.url])
    assert (weak.exit_code, "at least 12 characters" in weak.output) == (1, True)
    assert rows(site.database, "select id from event where kind = 'user.reset'") == []


def test_a_token_for_an_agent_is_in_a_file_as_long_as_it_is_good(
    empty_site: Site, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"

    def made(target: Any = file, *more: str) -> Any:
        place = ["--database-url", empty_site.database.url, "--data-dir", str(tmp_path), *more]
        return CliRunner().invoke(cli, ["admin", "agent-token", "docker", "--file", str(target), *place])

    early = made()
    assert (early.exit_code, list(tmp_path.glob("token*"))) == (1, [])
    assert "set up the appliance first" in early.output
    setup_required = setup.setup_required

    def is_unclaimed(database: Database) -> bool:
        """Whoever opens the link does it after the second look."""
        looks.append(setup_required(database))
        if len(looks) == 2:
            empty_site.tokens.update(claim(empty_site.database))
        return looks[-1]

    looks: list[bool] = []
    monkeypatch.setattr(setup, "setup_required", is_unclaimed)
    monkeypatch.setattr("appliance.cli.database.CLAIM_POLL", 0.01)
    ended = made(file, "--wait-for-admin")
    assert looks == [True, True, False]
    assert ended.stdout == f"The token of agent docker is in {file}.\n"
    assert "waits for an administrator: open the link" in ended.stderr
    first = file.read_text()
    assert first.startswith("apl_agent_") and file.stat().st_mode & 0o777 == 0o640
    assert "is still good" in made().stdout and file.read_text() == first
    setup.issue_agent_token(empty_site.database, "docker")  # the first one ends
    assert made().exit_code == 0 and file.read_text() != first
    refused = made(tmp_path / "nowhere/token")
    assert refused.exit_code == 1 and "can't be used: No such file or directory." in refused.output


def test_the_command_line_gives_and_takes(
    site: Site, settings: Settings, maria: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(create_app(settings, site.database)) as url:
        monkeypatch.setenv("APPLIANCE_URL", url)
        monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
        said = [
            CliRunner().invoke(cli, ["user", *words]).output.strip()
            for words in (["edit", "maria", "--role", "operator"], ["disable", "maria"], ["enable", "maria"])
        ]
        assert said == [
            "User maria has the role operator and may sign in.",
            "User maria has the role operator and is disabled.",
            "User maria has the role operator and may sign in.",
        ]
        signed_in(site)
        site.client.post(
            "/api/v1/login",
            json={"username": "maria", "password": PASSWORD},
            headers={
                "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
            },
        )
        listed = CliRunner().invoke(cli, ["user", "sessions", "maria"]).output
        assert len(listed.splitlines()) == 3
        assert "Chrome on Windows" in listed and "testclient" in listed and "unknown" in listed
        refused = CliRunner().invoke(cli, ["user", "disable", "admin"])
        assert refused.exit_code == 1
        assert "another administrator can" in str(refused.exception)
        created = CliRunner().invoke(cli, ["token", "create", "ci"])
        assert "It ends at" in created.output
        rotated = CliRunner().invoke(cli, ["token", "rotate", "ci", "--json"])
        assert rotated.exit_code == 0, rotated.output
        assert CliRunner().invoke(cli, ["user", "delete", "maria", "--yes"]).output == "User deleted.\n"


def test_a_database_of_another_user_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "appliance.db").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who runs some test suites, can use every file
    refused = CliRunner().invoke(cli, ["admin", "setup-link", "--data-dir", str(tmp_path)])
    assert (refused.exit_code, "as the user who owns it" in refused.output) == (1, True)
