"""Secrets of projects: people set and delete them, and only runs of flows that declare one read its value.

Which key seals new values is noted in the database, so that all workers of a site use the same one.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.kit.secret_names import MOST_BYTES, is_name, name_problem
from appliance.protocol.secrets import AskSecret, PutSecret, SecretValue
from appliance.server.actions import projects
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.auth.sealing import place, seal, unseal
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import secrets as reads
from appliance.server.db.rows.secrets import SealedSecret
from appliance.server.db.session import Database
from appliance.server.db.writes import secrets as writes
from appliance.server.db.writes import settings as write_settings
from appliance.server.domain.quotas import SECRETS
from appliance.server.domain.run_protocol import may_read_secrets
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Invalid, NoSecret, NoSecretKey, NotFound, Undeclared
from appliance.server.events.outbox import announce

KEY_SETTING = "secrets_key"


def put(db: Database, actor: Actor, keys: SecretKeys, request: PutSecret, *, now: datetime | None = None) -> UUID:
    """Set a secret of a project, which is created if it is missing; a secret of this name gets the new value."""
    _check(request)
    return _put(db, actor, keys, request, now=now or clock.now())


@keyed("secret.put", beside=("keys",))
def _put(db: Database, actor: Actor, keys: SecretKeys, request: PutSecret, *, now: datetime) -> UUID:
    with db.write("secret.put") as session:
        project_id = projects.ensure(session, actor, request.project, now)
        writes.lock_project(session, project_id)
        key_id = current_key(session, keys, now)
        key, by = keys.get(key_id), clean(actor.name, 200)
        known = writes.lock(session, project_id, request.name)
        if known is None:
            secret_id, version = ids.uuid7(), 1
            _require_room(session, project_id, db.rules.project_secrets)
            sealed = seal(key, request.secret_value, place(project_id, secret_id, request.name, version))
            writes.add(
                session,
                {
                    "id": secret_id, "project_id": project_id, "name": request.name, "sealed": sealed, "key_id": key_id,
                    "version": version, "created": now, "created_by": by, "updated": now, "updated_by": by,
                },
            )  # fmt: skip
        else:
            secret_id, version = known.id, known.version + 1
            sealed = seal(key, request.secret_value, place(project_id, secret_id, request.name, version))
            writes.replace(session, secret_id, version, sealed, key_id, by, now)
        data = {"name": request.name, "project_id": str(project_id), "version": version}
        announce(session, "secret", secret_id, "secret.set", data, actor, now)
        return secret_id


@keyed("secret.remove")
def remove(db: Database, actor: Actor, secret_id: UUID, *, now: datetime | None = None) -> None:
    """Delete a secret. Runs that have read it keep its value."""
    now = now or clock.now()
    with db.write("secret.remove") as session:
        gone = writes.remove(session, secret_id)
        if gone is None:
            raise NotFound("There is no such secret; it may have been deleted.")
        data = {"name": gone.name, "project_id": str(gone.project_id)}
        announce(session, "secret", secret_id, "secret.deleted", data, actor, now)


def reveal(db: Database, keys: SecretKeys, flow_run_id: UUID, request: AskSecret) -> SecretValue:
    """The value of a secret for the live attempt of a run whose version declares it.

    Raises StaleAttempt, Undeclared, NoSecret, NoSecretKey, or DamagedRow.
    """
    try:
        return _opened(keys, _readable(db, flow_run_id, request))
    except NoSecretKey:  # its key may just have been removed, because the secret is sealed with another one now
        return _opened(keys, _readable(db, flow_run_id, request))


def _readable(db: Database, flow_run_id: UUID, request: AskSecret) -> SealedSecret:
    name = request.name
    with db.read() as session:
        run = reads.reader(session, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        refusal = may_read_secrets(run, request.attempt)
        if refusal is not None:
            raise conflict(refusal)
        if not reads.is_declared(session, run.flow_version_id, name):
            if not is_name(name):
                raise Invalid(name_problem(name))
            raise Undeclared(
                f"Version {run.number} of flow {run.flow!r} doesn't declare the secret {name!r}; write Flow(..., secrets=[{name!r}]), "
                f"@task(secrets=[{name!r}]) or SecretTask({name!r}), and register the flow again."
            )
        secret = reads.sealed(session, run.project_id, name)
        if secret is None:
            raise NoSecret(
                f"Project {run.project!r} has no secret {name!r}; set it with `appliance secret set {name} --project {run.project!r}`, "
                "or on the page Secrets."
            )
        return secret


def _opened(keys: SecretKeys, secret: SealedSecret) -> SecretValue:
    return SecretValue(value=opened(keys, secret))


def opened(keys: SecretKeys, secret: SealedSecret) -> str:
    """The value itself."""
    where = place(secret.project_id, secret.id, secret.name, secret.version)
    return unseal(keys.get(secret.key_id), secret.sealed, where)


def current_key(session: Session, keys: SecretKeys, now: datetime) -> str:
    """The id of the key that seals new values; it stays the current one until the transaction ends."""
    key_id = writes.share_setting(session, KEY_SETTING)
    if key_id is None:
        write_settings.keep(session, KEY_SETTING, keys.newest(), now)
        key_id = writes.share_setting(session, KEY_SETTING)  # another host of the site may have been first
        assert key_id is not None
    return key_id


def _check(request: PutSecret) -> None:
    if not is_name(request.name):
        raise Invalid(name_problem(request.name))
    try:
        size = len(request.secret_value.encode())
    except UnicodeEncodeError as error:
        raise Invalid("The value of the secret is not valid text; send binary data in base64.") from error
    if "\0" in request.secret_value:
        raise Invalid("The value of the secret contains a NUL character; send binary data in base64.")
    if size > MOST_BYTES:
        raise Invalid(f"The value of the secret is too long ({size} bytes); use at most {MOST_BYTES} bytes.")


def _require_room(session: Session, project_id: UUID, most: int) -> None:
    if 0 < most <= reads.number_of(session, project_id):
        raise SECRETS.reached(most)
