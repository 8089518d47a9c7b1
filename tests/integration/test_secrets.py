"""Secrets on the server: set by people, read by runs that declare them, and found nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from appliance.kit import crash
from appliance.protocol.run_protocol import Begin
from appliance.protocol.secrets import AskSecret, PutSecret
from appliance.server.actions import run_protocol as runs
from appliance.server.actions import secret_keys, secrets
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import secrets as reads
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from appliance.server.errors import (
    Conflict,
    DamagedRow,
    Invalid,
    NoSecret,
    NoSecretKey,
    NotFound,
    QuotaReached,
    StaleAttempt,
    Undeclared,
)
from tests.integration import builders
from tests.integration.builders import ALICE, RUN
from tests.integration.server_fixtures import Site

CANARY = "canary-5up3r-s3cr3t-value"


@pytest.fixture
def keys(tmp_path: Path) -> SecretKeys:
    return SecretKeys(tmp_path / "secrets.key")


def put(db: Database, keys: SecretKeys, name: str = "TOKEN", value: str = CANARY, project: str = "demo") -> UUID:
    return secrets.put(db, ALICE, keys, PutSecret(project=project, name=name, secret_value=value))


def ask(db: Database, keys: SecretKeys, run: UUID, name: str = "TOKEN", attempt: int = 1) -> str:
    return secrets.reveal(db, keys, run, AskSecret(attempt=attempt, name=name)).value


# --- who reads them


def test_a_run_reads_what_its_flow_declares(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    assert ask(database, keys, run) == CANARY
    put(database, keys, value="another")
    assert ask(database, keys, run) == "another"


def test_an_undeclared_secret_is_refused_with_the_way_to_declare_it(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    run, _agent = builders.begun(database, secrets=["OTHER"])
    with pytest.raises(Undeclared, match=r"Version 1 of flow 'etl'.*Flow\(\.\.\., secrets=\['TOKEN'\]\).*register"):
        ask(database, keys, run)


def test_a_declared_secret_of_another_project_is_not_there(database: Database, keys: SecretKeys) -> None:
    put(database, keys, project="another")
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    with pytest.raises(NoSecret, match="appliance secret set TOKEN --project 'demo'"):
        ask(database, keys, run)


def test_a_later_version_decides_for_its_own_runs_only(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    assert builders.register(database).version == 2
    assert ask(database, keys, run) == CANARY


def test_a_stale_attempt_gets_nothing(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    for attempt in (0, 2):
        with pytest.raises(StaleAttempt):
            ask(database, keys, run, attempt=attempt)


def test_a_run_gets_nothing_before_an_agent_has_taken_it_or_after_its_end(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    flow = builders.register(database, secrets=["TOKEN"])
    run = builders.create(database, flow.flow_id)
    agent = builders.enrol(database)
    with pytest.raises(StaleAttempt, match="gets no secrets"):
        ask(database, keys, run, attempt=0)
    assert [work.flow_run_id for work in builders.claim(database, agent)] == [run]
    assert ask(database, keys, run) == CANARY, "fetching its code may need it"
    with pytest.raises(StaleAttempt):
        ask(database, keys, run, attempt=2)
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "go"
    assert ask(database, keys, run) == CANARY
    cancel_run(database, ALICE, run)
    assert ask(database, keys, run) == CANARY, "its clean-up may need it"
    builders.send(database, run, 1, builders.flow("CANCELLED", "Cancelled"))
    with pytest.raises(StaleAttempt, match="gets no secrets"):
        ask(database, keys, run)
    with pytest.raises(NotFound):
        ask(database, keys, uuid4())


def test_declaring_a_secret_is_a_new_version(database: Database) -> None:
    builders.register(database)
    second = builders.register(database, secrets=["TOKEN"])
    assert (second.version, second.changes) == (2, ["secret TOKEN added"])
    again = builders.register(database, secrets=["TOKEN"])
    assert (again.version, again.created) == (2, False)


@pytest.mark.parametrize("names", [["a b"], ["TOKEN", "TOKEN"], ["x" * 101], [f"S{n}" for n in range(101)]])
def test_a_registration_with_impossible_names_is_refused(database: Database, names: list[str]) -> None:
    with pytest.raises(Invalid, match="secret"):
        builders.register(database, secrets=names)


# --- setting them


@pytest.mark.parametrize("name", ["", "a b", "1x", "x" * 101, "a/b", "ä", "../x"])
def test_a_name_that_no_variable_can_have_is_refused(database: Database, keys: SecretKeys, name: str) -> None:
    with pytest.raises(Invalid, match="not a valid name of a secret"):
        put(database, keys, name=name)


@pytest.mark.parametrize(
    ("value", "fault"), [("x" * 65_537, "too long"), ("a\0b", "NUL"), ("\ud800", "not valid text")], ids=str
)
def test_a_value_that_can_not_be_kept_is_refused(database: Database, keys: SecretKeys, value: str, fault: str) -> None:
    with pytest.raises(Invalid, match=fault) as refused:
        put(database, keys, value=value)
    assert value[:20] not in str(refused.value)


@pytest.mark.parametrize("value", ["", "x" * 65_536, '{"user": "me"}', "two\nlines\r\n", "ünï\N{SNOWMAN}"], ids=len)
def test_any_text_is_kept_as_it_is(database: Database, keys: SecretKeys, value: str) -> None:
    put(database, keys, value=value)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    assert ask(database, keys, run) == value


def test_the_quota(database: Database, keys: SecretKeys) -> None:
    database.rules = Rules(project_secrets=2)
    put(database, keys, "ONE"), put(database, keys, "TWO")
    with pytest.raises(QuotaReached, match=r"has 2 secrets.*APPLIANCE_PROJECT_SECRETS"):
        put(database, keys, "THREE")
    put(database, keys, "TWO", "replaced")
    put(database, keys, "THREE", project="another")


def test_a_deleted_secret_is_gone(database: Database, keys: SecretKeys) -> None:
    secret = put(database, keys)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    secrets.remove(database, ALICE, secret)
    with pytest.raises(NoSecret):
        ask(database, keys, run)
    with pytest.raises(NotFound):
        secrets.remove(database, ALICE, secret)
    put(database, keys, value="new")
    assert ask(database, keys, run) == "new"


def test_events_say_what_happened_without_the_value(database: Database, keys: SecretKeys) -> None:
    secret = put(database, keys)
    put(database, keys)
    secrets.remove(database, ALICE, secret)
    found = builders.rows(database, "select kind, data, actor from event where topic = 'secret' order by id")
    assert [row["kind"] for row in found] == ["secret.set", "secret.set", "secret.deleted"]
    assert {row["actor"] for row in found} == {"alice"}
    assert CANARY not in repr(found)


# --- sealing


def test_swapped_rows_are_noticed(database: Database, keys: SecretKeys) -> None:
    put(database, keys, "ONE", "value one"), put(database, keys, "TWO", "value two")
    run, _agent = builders.begun(database, secrets=["ONE", "TWO"])
    sealed = {row["name"]: row["sealed"] for row in builders.rows(database, "select name, sealed from secret")}
    with database.write() as session:
        session.execute(text("update secret set sealed = :sealed where name = 'TWO'"), {"sealed": sealed["ONE"]})
    with pytest.raises(DamagedRow, match="set it again"):
        ask(database, keys, run, "TWO")
    assert ask(database, keys, run, "ONE") == "value one"


def test_an_older_value_put_back_is_noticed(database: Database, keys: SecretKeys) -> None:
    put(database, keys, value="old")
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    old = builders.one(database, "select sealed from secret")["sealed"]
    put(database, keys, value="new")
    with database.write() as session:
        session.execute(text("update secret set sealed = :sealed"), {"sealed": old})
    with pytest.raises(DamagedRow):
        ask(database, keys, run)


def test_a_lost_key_is_said(database: Database, keys: SecretKeys) -> None:
    put(database, keys)
    run, _agent = builders.begun(database, secrets=["TOKEN"])
    kept = keys.path.read_bytes()
    keys.path.unlink()
    for use in (lambda: ask(database, keys, run), lambda: put(database, keys, value="new")):
        with pytest.raises(NoSecretKey, match="APPLIANCE_SECRETS_KEY_FILE"):
            use()
    assert not keys.path.exists(), "another key in its place would hide the loss"
    keys.path.write_bytes(kept)
    assert ask(database, keys, run) == CANARY


def test_a_host_with_another_key_is_refused(database: Database, keys: SecretKeys, tmp_path: Path) -> None:
    put(database, keys)
    elsewhere = SecretKeys(tmp_path / "another host's.key")
    elsewhere.newest()
    with pytest.raises(NoSecretKey, match="copy it from another host"):
        put(database, elsewhere, "OTHER")


def test_the_value_is_nowhere(site: Site, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the database's bytes, events, idempotency keys, logs, or any answer to a person."""
    caplog.set_level("DEBUG")
    body = {"project": "demo", "name": "TOKEN", "value": CANARY}
    headers = site.headers("operator") | {"Idempotency-Key": "a-key"}
    answers = [site.client.put("/api/v1/secrets", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["version"] == answers[1].json()["version"] == 1
    other = site.client.put("/api/v1/secrets", json=body | {"value": "another"}, headers=headers)
    assert other.json()["code"] == "key_reused"
    answers.append(site.get("/api/v1/secrets", "operator"))
    query = "{ secrets { items { id projectName name version updatedBy usedBy { flowName } userCount } next } }"
    answers.append(site.post("/graphql", {"query": query}))
    mutation = "mutation($input: SetSecretInput!) { setSecret(input: $input) { secret { name version } } }"
    answers.append(site.post("/graphql", {"query": mutation, "variables": {"input": body}}))
    assert answers[-1].json()["data"]["setSecret"]["secret"] == {"name": "TOKEN", "version": 2}
    wrong = site.post("/graphql", {"query": mutation, "variables": {"input": body | {"name": "a b"}}})
    assert "errors" in wrong.json()
    for answer in [*answers, other, wrong]:
        assert CANARY not in answer.text and answer.headers["cache-control"] == "no-store"
    assert CANARY not in caplog.text
    tables = builders.rows(database, "select fingerprint, answer from request_key")
    assert CANARY not in repr(tables) and len(tables) == 1
    assert CANARY not in repr(builders.rows(database, "select * from event"))
    assert CANARY not in repr(builders.rows(database, "select * from secret"))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files and not any(CANARY.encode() in file.read_bytes() for file in files)


def test_the_list(site: Site) -> None:
    flow = builders.register(site.database, "one", secrets=["TOKEN"])
    builders.register(site.database, "two", secrets=["TOKEN"])
    builders.register(site.database, "two")  # no longer
    builders.register(site.database, "elsewhere", project="other", secrets=["TOKEN"])
    for project, name in (("demo", "TOKEN"), ("demo", "ALONE"), ("other", "TOKEN")):
        body = {"project": project, "name": name, "value": CANARY}
        assert site.client.put("/api/v1/secrets", json=body, headers=site.headers("operator")).status_code == 200
    first = site.get("/api/v1/secrets?limit=2", "operator").json()
    second = site.get(f"/api/v1/secrets?limit=2&after={first['next']}", "operator").json()
    assert [(one["project"], one["name"]) for one in first["items"] + second["items"]] == [
        ("demo", "ALONE"),
        ("demo", "TOKEN"),
        ("other", "TOKEN"),
    ]
    assert second["next"] is None
    assert first["items"][1]["used_by"] == [{"id": str(flow.flow_id), "name": "one"}]
    assert [one["users"] for one in first["items"]] == [0, 1]
    assert first["items"][1]["updated_by"] == "operator"
    only = site.get("/api/v1/secrets?project=other", "operator").json()["items"]
    assert [(one["project"], one["used_by"][0]["name"]) for one in only] == [("other", "elsewhere")]
    assert site.get("/api/v1/secrets?after=x", "operator").status_code == 400


def test_a_version_says_which_secrets_it_declares(site: Site) -> None:
    flow = builders.register(site.database)
    builders.register(site.database, secrets=["A", "B"])
    query = "query($id: UUID!) { flow(id: $id) { version { secrets } } }"
    assert site.data(query, id=str(flow.flow_id))["flow"]["version"]["secrets"] == ["A", "B"]
    path = f"/api/v1/flows/{flow.flow_id}/versions/1/compare/2"
    parts = {part["part"]: part["added"] for part in site.get(path).json()["parts"]}
    assert parts == {"secrets": ["A", "B"]}


def test_a_run_reads_by_its_token(site: Site) -> None:
    database = site.database
    body = {"project": "demo", "name": "TOKEN", "value": CANARY}
    site.client.put("/api/v1/secrets", json=body, headers=site.headers("operator"))
    run = builders.create(database, builders.register(database, secrets=["TOKEN"]).flow_id)
    work = builders.claim(database, builders.enrol(database))[0]
    site.tokens["run"] = work.run_token
    path = f"/api/v1/flow-runs/{run}"
    assert site.post(f"{path}/begin", {"attempt": 1}, "run").json()["verdict"] == "go"
    answer = site.post(f"{path}/secrets", {"attempt": 1, "name": "TOKEN"}, "run")
    assert answer.json() == {"value": CANARY} and answer.headers["cache-control"] == "no-store"
    for principal in ("viewer", "operator", "admin", "agent"):
        assert site.post(f"{path}/secrets", {"attempt": 1, "name": "TOKEN"}, principal).status_code == 403
    undeclared = site.post(f"{path}/secrets", {"attempt": 1, "name": "OTHER"}, "run")
    assert (undeclared.status_code, undeclared.json()["code"]) == (403, "undeclared")
    impossible = site.post(f"{path}/secrets", {"attempt": 1, "name": "a b"}, "run")
    assert impossible.status_code == 400
    assert CANARY not in repr(builders.rows(database, "select * from flow_run"))


# --- rotating the key


def many(db: Database, keys: SecretKeys, number: int) -> None:
    for place in range(number):
        put(db, keys, f"S{place}", f"value {place}")


def readable(db: Database, keys: SecretKeys) -> set[str]:
    with db.read() as session:
        rows = list(reads.others(session, "none", None, 1_000))
    return {secrets.opened(keys, row) for row in rows}


def test_rotation(database: Database, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_keys, "BATCH", 3)
    many(database, keys, 7)
    old = keys.newest()
    done = secret_keys.rotate(database, keys)
    assert (done.resealed, done.deleted, done.left, done.removed) == (7, 0, 0, [old])
    assert keys.ids() == [done.key_id] != [old]
    assert readable(database, keys) == {f"value {place}" for place in range(7)}
    assert {row["version"] for row in builders.rows(database, "select version from secret")} == {1}
    put(database, keys, "LATER")
    assert builders.rows(database, "select distinct key_id from secret") == [{"key_id": done.key_id}]


def test_rotation_uses_a_key_that_was_added_beforehand(database: Database, keys: SecretKeys) -> None:
    many(database, keys, 1)
    old, added = keys.newest(), keys.add()
    done = secret_keys.rotate(database, keys, keep_old=True)
    assert (done.key_id, done.removed, keys.ids()) == (added, [], [old, added])


class Killed(BaseException):
    """In the place of SIGKILL."""


@pytest.mark.parametrize("point", ["secret_key.current.applied", "secret_key.current.committed"])
@pytest.mark.parametrize("passes", [1])
def test_rotation_cut_off_at_the_switch(
    database: Database, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch, point: str, passes: int
) -> None:
    _cut_off(database, keys, monkeypatch, point, passes)


@pytest.mark.parametrize("point", ["secret_key.batch.applied", "secret_key.batch.committed"])
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_rotation_cut_off_at_a_batch(
    database: Database, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch, point: str, passes: int
) -> None:
    _cut_off(database, keys, monkeypatch, point, passes)


def _cut_off(database: Database, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch, point: str, passes: int) -> None:
    """Whatever is cut off, every value stays readable, people can set more, and the next rotation finishes."""
    monkeypatch.setattr(secret_keys, "BATCH", 3)
    many(database, keys, 7)
    expected, left, pass_by = {f"value {place}" for place in range(7)}, passes, crash.point

    def die(name: str) -> None:
        nonlocal left
        left -= name == point
        if not left:
            left = -1
            raise Killed
        pass_by(name)

    with monkeypatch.context() as patch:
        patch.setattr(crash, "point", die)
        with pytest.raises(Killed):
            secret_keys.rotate(database, keys)
    assert readable(database, keys) == expected
    put(database, keys, "S7", "value 7")
    assert readable(database, keys) == expected | {"value 7"}
    done = secret_keys.rotate(database, keys)
    assert keys.ids() == [done.key_id]
    assert readable(database, keys) == expected | {"value 7"}


def test_a_rotation_that_another_overtakes_stops(
    database: Database, keys: SecretKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_keys, "BATCH", 3)
    many(database, keys, 7)
    batch, done = secret_keys._batch, 0

    def overtake(*arguments: Any) -> Any:
        nonlocal done
        done += 1
        if done == 2:
            keys.add()
            secret_keys.rotate(database, keys)
        return batch(*arguments)

    monkeypatch.setattr(secret_keys, "_batch", overtake)
    with pytest.raises(Conflict, match="Another rotation"):
        secret_keys.rotate(database, keys)
    assert readable(database, keys) == {f"value {place}" for place in range(7)}
    assert len(keys.ids()) == 1


def test_lost_keys(database: Database, keys: SecretKeys) -> None:
    many(database, keys, 2)
    keys.path.unlink()
    with pytest.raises(NoSecretKey, match=r"2 secrets is lost.*--delete-lost"):
        secret_keys.rotate(database, keys)
    uses = secret_keys.keys_in_use(database, keys)
    assert [(use.present, use.current, use.secrets) for use in uses] == [(False, True, 2)]
    done = secret_keys.rotate(database, keys, delete_lost=True)
    assert (done.resealed, done.deleted) == (0, 2)
    put(database, keys)
    assert readable(database, keys) == {CANARY}


def test_a_damaged_secret_does_not_stop_a_rotation(database: Database, keys: SecretKeys) -> None:
    many(database, keys, 3)
    old = keys.newest()
    with database.write() as session:
        session.execute(text("update secret set sealed = 'AAAA' where name = 'S1'"))
    done = secret_keys.rotate(database, keys)
    assert (done.resealed, done.left, done.removed) == (2, 1, [])
    assert set(keys.ids()) == {old, done.key_id}
    put(database, keys, "S1", "value 1")
    assert secret_keys.rotate(database, keys).removed
    assert readable(database, keys) == {"value 0", "value 1", "value 2"}
