"""The site store: bundles of code, which those who register flows upload and only runs of a version that names one get back.

They are bytes here. Nothing opens them, and what is checked is their hash alone; what is in them is checked by the agent.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol import storage
from appliance.protocol.bundles import MOST_BYTES, AskBundle, BundleContent, BundleOffer, PutBundle, TakeBundle
from appliance.server.actions import projects, quotas
from appliance.server.actions.names import required_name
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.db import usage
from appliance.server.db.reads import bundles as reads
from appliance.server.db.reads import secrets
from appliance.server.db.retries import retried
from appliance.server.db.rows.bundles import BundleBytes, NewBundle
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.db.writes import bundles as writes
from appliance.server.domain.quotas import ROW
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_protocol import may_read_secrets
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce

KEPT = timedelta(hours=1)
"""How long a bundle that no version names is kept: its version may be about to be registered."""
BATCH = 10
_HASH = re.compile(r"[0-9a-f]{64}")


@retried
def ask(db: Database, actor: Actor, request: AskBundle, *, now: datetime | None = None) -> BundleOffer:
    """Whether this server keeps code, and has this bundle; if so, it stays for a while."""
    now = now or clock.now()
    if not db.rules.bundles:
        return BundleOffer(enabled=False)
    offer = BundleOffer(enabled=True, most_bytes=most_bytes(db.rules))
    if request.digest:
        _check_hash(request.digest)
        name = required_name(request.project, "project")
        with db.read() as session:
            known = reads.find(session, name, request.digest)
        if known is not None and known.used < now - KEPT / 2:
            with db.write("bundle.ask") as session:
                offer.stored = writes.touch(session, known.project_id, request.digest, now) is not None
        else:
            offer.stored = known is not None
    return offer


@retried
def put(db: Database, actor: Actor, request: PutBundle, *, now: datetime | None = None) -> BundleOffer:
    """Store a bundle in a project, which is created if it is missing. The same content again changes nothing."""
    now = now or clock.now()
    if not db.rules.bundles:
        raise Invalid(
            "This appliance keeps no code; use another storage, or have an administrator set APPLIANCE_BUNDLES=true."
        )
    most, size = most_bytes(db.rules), len(request.content)
    if size > most:
        raise Invalid(
            f"The bundle has {size:,} bytes, and at most {most:,} are allowed; leave files out, with `exclude` in [tool.appliance] of "
            "pyproject.toml, or have an administrator raise APPLIANCE_BUNDLE_BYTES."
        )
    _check_hash(request.digest)
    if hashlib.sha256(request.content).hexdigest() != request.sha256:
        raise Invalid("The bundle has not arrived as it was sent: its hash differs; send it again.")
    with db.write("bundle.put") as session:
        project_id = projects.ensure(session, actor, request.project, now)
        if writes.touch(session, project_id, request.digest, now) is None:
            quotas.require_room_for(session, project_id, size + ROW, db.rules)
            row: NewBundle = {
                "id": ids.uuid7(),
                "project_id": project_id,
                "digest": request.digest,
                "sha256": request.sha256,
                "size": size,
                "sealed": request.sealed,
                "key_id": clean(request.key_id, 32) or None,
                "created": now,
                "created_by": clean(actor.name, 200),
                "used": now,
                "content": request.content,
            }
            if writes.add(session, row):  # another request may have been faster
                usage.add(session, project_id, row["id"], 1, size + ROW)
                data = {"digest": request.digest, "project_id": str(project_id), "bytes": size}
                announce(session, "bundle", row["id"], "bundle.stored", data, actor, now)
    return BundleOffer(enabled=True, stored=True, most_bytes=most)


def name(session: Session, project_id: UUID, version: FlowVersion, now: datetime) -> None:
    """Note which bundle a new version names, if any. Raises Invalid if it is not there."""
    place = storage.decode(version.storage)
    if not isinstance(place, storage.BundleCode):
        return
    bundle_id = writes.touch(session, project_id, place.digest, now)
    if bundle_id is None:
        raise Invalid("The server does not have the bundle of this version; register the flow again, which sends it.")
    writes.name(session, version.id, bundle_id)


def take(db: Database, flow_run_id: UUID, request: TakeBundle) -> BundleContent:
    """The bundle of a run's version, for its live attempt or the agent that is about to start it. Raises StaleAttempt or NotFound."""
    with db.read() as session:
        run = secrets.reader(session, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        refusal = may_read_secrets(run, request.attempt)
        if refusal is not None:
            raise conflict(refusal)
        bundle = reads.of_version(session, run)
        if bundle is None:
            raise NotFound(
                f"Version {run.number} of flow {run.flow!r} has no bundle on this server; register the flow again."
            )
        return _content(bundle)


@retried
def remove_unnamed(db: Database, now: datetime) -> int:
    """Delete some of the bundles that no version names any more; how many."""
    with db.write("bundle.remove") as session:
        gone = writes.remove_unnamed(session, now - KEPT, BATCH)
        for row in gone:
            usage.add(session, row.project_id, row.id, -1, -(row.size + ROW))
        return len(gone)


def most_bytes(rules: Rules) -> int:
    """The largest bundle that is taken."""
    return min(rules.bundle_bytes, MOST_BYTES)


def _content(bundle: BundleBytes) -> BundleContent:
    return BundleContent(sha256=bundle.sha256, content=bundle.content)


def _check_hash(digest: str) -> None:
    if not _HASH.fullmatch(digest):
        raise Invalid("The digest of a bundle must be 64 hexadecimal digits.")
