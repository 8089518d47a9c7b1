"""Deliveries of automations: made from the outbox, one per automation and event; sent at least once under one id; given up after a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.automations import ACTS, DeliveryState
from appliance.server.actions.automation_matches import Match, is_known, is_maintained, matches
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import events, rollups
from appliance.server.db.retries import retried
from appliance.server.db.rows.automations import AutomationRow, DueDelivery, NewDelivery
from appliance.server.db.session import Database
from appliance.server.db.writes import automations as writes
from appliance.server.db.writes import settings
from appliance.server.domain import automation_acts as acts
from appliance.server.domain import automations as rules
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, NotFound
from appliance.server.events.outbox import announce
from appliance.server.events.sending import Outcome

BATCH = 2_000
_LONGEST_REASON = 500
_KNOWN = "The failure is known."
_MAINTENANCE = "There was maintenance."


@dataclass
class Follower:
    """What this process has compared with the automations beyond the stored position. On Postgres an event may still appear before it."""

    base_url: str = ""
    seen: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Read:
    """The automations, what matches them, and how far the outbox was read."""

    automations: Sequence[AutomationRow]
    matched: dict[UUID, list[Match]]
    fresh: list[int]
    position: int
    moved: bool


def follow(db: Database, follower: Follower, now: datetime) -> tuple[int, bool]:
    """Make the deliveries of the next events; how many, and whether there may be more events. Deliveries and position are stored together."""
    read = _read(db, follower, now)
    if read is None:
        return 0, False
    made = _store(db, read, now) if read.moved or any(read.matched.values()) else 0
    follower.seen.update(read.fresh)
    follower.seen = {id for id in follower.seen if id > read.position}
    return made, len(read.fresh) >= BATCH


def _read(db: Database, follower: Follower, now: datetime) -> _Read | None:
    with db.read() as session:
        automations = reads.enabled(session)
        position = reads.POSITION.find(session) or 0
        if not automations or events.newest_id(session) <= position:
            return None
        settled = rollups.settled(session, now)  # before the events, so that none commits in between
        start = max(position, min(row.after_event for row in automations))
        rows = reads.events_after(session, start, BATCH + len(follower.seen))
        fresh = [row for row in rows if row.id not in follower.seen]
        matched = {
            automation.id: matches(
                session, automation, [row for row in fresh if row.id > automation.after_event], follower.base_url, now
            )
            for automation in automations
        }
    last = start
    for row in rows:
        if settled is not None and row.at >= settled:
            break
        last = row.id
    return _Read(automations, matched, [row.id for row in fresh], last, last > position)


@retried
def _store(db: Database, read: _Read, now: datetime) -> int:
    with db.write("automation.follow") as session:
        held = writes.hold(session, [id for id, its in read.matched.items() if its])
        rows: list[NewDelivery] = []
        for automation in read.automations:
            if automation.id in held:
                rows += _deliveries(session, automation, read.matched[automation.id], now)
        writes.add_deliveries(session, rows)
        settings.put(session, reads.POSITION.name, str(read.position), now)
        for id in {row["automation_id"] for row in rows}:
            announce(session, "automation", id, "automation.fired", {}, SYSTEM, now)
    return len(rows)


def _deliveries(session: Session, automation: AutomationRow, matched: list[Match], now: datetime) -> list[NewDelivery]:
    """The rows of an automation for what matches it. An event that has one, because another process was faster, is left out."""
    known = reads.known_deliveries(session, [match.event.id for match in matched])
    since, most = now - timedelta(seconds=automation.per), automation.at_most
    times = reads.recent(session, automation.id, since, most) if most else []
    limit = f"More than {most} per {rules.in_words(automation.per)}."
    suppressed = reads.suppressed(session, automation.id, limit) if most else 0
    rows: list[NewDelivery] = []
    changes = automation.action["kind"] in ACTS
    for match in matched:
        if (automation.id, match.event.id) in known:
            continue
        reason = _reason_to_drop(session, automation, match, now)
        if not reason and not rules.allowed(times, now, most, automation.per):
            reason, suppressed = limit, suppressed + 1
        message = {**match.message, "automation": automation.name}
        if changes:
            message |= {"chain": match.chain, "run_version": match.version}
        if not reason:
            times, message["suppressed"], suppressed = [*times, now], suppressed, 0
        message["text"] = rules.text_of(message, "" if changes else automation.action.get("text", ""))
        rows.append(_row(automation, match, message, reason, now))
    return rows


def _reason_to_drop(session: Session, automation: AutomationRow, match: Match, now: datetime) -> str:
    if automation.unless_maintenance and is_maintained(session, now):
        return _MAINTENANCE
    if automation.unless_known and is_known(session, match, now):
        return _KNOWN
    if automation.action["kind"] not in ACTS:
        return ""
    if match.chain >= acts.LONGEST_CHAIN:
        return acts.CHAIN_ENDS
    return acts.TOO_LATE if now - match.event.at > acts.ACTED_WITHIN else ""


def _row(
    automation: AutomationRow, match: Match, message: dict[str, object], reason: str, now: datetime
) -> NewDelivery:
    return {
        "id": ids.uuid7(), "automation_id": automation.id, "event_id": match.event.id, "event": match.name,
        "object_id": match.event.object_id, "message": message, "state": "dropped" if reason else "pending",
        "reason": reason, "attempts": 0, "created": now, "expires": now + _kept(automation.action), "tried_at": None,
        "next_try_at": now, "answer": "",
    }  # fmt: skip


def _kept(action: Mapping[str, Any]) -> timedelta:
    """For how long it is tried again."""
    return acts.ACTED_WITHIN if action["kind"] in ACTS else rules.KEPT


def due(db: Database, now: datetime, limit: int) -> Sequence[DueDelivery]:
    """Deliveries that are due, longest due first."""
    with db.read() as session:
        return reads.due(session, now, limit)


@retried
def mark(db: Database, delivery: DueDelivery, outcome: Outcome, *, now: datetime) -> None:
    """Note how an attempt went: it is sent, is tried again later, or is given up. One that was settled meanwhile stays as it is."""
    with db.write("automation.mark") as session:
        row = writes.lock_delivery(session, delivery.id)
        if row is None or row.state != "pending":
            return
        attempts = row.attempts + 1
        later = now + rules.delay(attempts)
        again = later < row.expires and not outcome.is_final
        state: DeliveryState = "sent" if outcome.ok else "pending" if again else "failed"
        writes.mark(
            session, delivery.id, state=state, reason=clean(outcome.reason, _LONGEST_REASON), attempts=attempts,
            tried_at=now, next_try_at=later, answer=clean(outcome.answer, rules.LONGEST_ANSWER),
        )  # fmt: skip
        if state != "pending":
            announce(session, "automation", row.automation_id, f"automation.{state}", {}, SYSTEM, now)


@keyed("delivery.send_again")
def send_again(db: Database, actor: Actor, delivery_id: UUID, *, now: datetime | None = None) -> None:
    """Send a delivery once more, under its id, for a day from now. What changes something here is tried again if it was not done."""
    now = now or clock.now()
    with db.write("delivery.send_again") as session:
        row = writes.lock_delivery(session, delivery_id)
        if row is None:
            raise NotFound("There is no such delivery; it may have been deleted with its automation.")
        if row.state == "pending" and row.attempts == 0:
            raise Conflict("The delivery is about to be sent.")
        automation = reads.one(session, row.automation_id)
        assert automation is not None
        if row.state == "sent" and automation.action["kind"] in ACTS:
            raise Conflict("It has been done, and is done once for each event.")
        writes.mark(
            session,
            delivery_id,
            state="pending",
            reason="",
            attempts=0,
            next_try_at=now,
            expires=now + _kept(automation.action),
        )
        announce(
            session, "automation", row.automation_id, "automation.sent_again", {"delivery": str(row.id)}, actor, now
        )


@retried
def settle_restored(db: Database, made: str, now: datetime) -> int:
    """In a copy of a database, nothing that was pending or had happened is sent: it may have been since the copy was made."""
    reason = f"The database was restored from the backup of {made}; it may have been sent since then."
    with db.write("restored.deliveries") as session:
        dropped = writes.drop_pending(session, reason, now)
        settings.put(session, reads.POSITION.name, str(events.newest_id(session)), now)
    return dropped
