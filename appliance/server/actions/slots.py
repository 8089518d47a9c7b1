"""Slots under the limits of task tags: granted to task runs before they start, all that a task needs or none.

A slot counts only while its attempt is the live one of its run, so the slots of a dead attempt are free at once. Under a rate limit, the start
itself counts, for the period of the limit; the slot only says that the task run has started, so that a request sent again starts it once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.run_protocol import AskSlots, Slots
from appliance.server.actions.states import conflict
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import concurrency as read_concurrency
from appliance.server.db.reads import flow_runs, task_runs
from appliance.server.db.retries import retried
from appliance.server.db.rows.concurrency import SlotHolder, TagLimit
from appliance.server.db.session import Database
from appliance.server.db.writes import concurrency
from appliance.server.domain.concurrency import full_sentence, rate_sentence
from appliance.server.domain.run_protocol import may_start_tasks
from appliance.server.domain.sanitize import MAX_INDEX, MAX_SLUG
from appliance.server.domain.transitions import ends_task
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce

_MOST_TAGS = 100
_NAMED = 3
_CACHE_SECONDS = 2.0
_PAUSED, _LONGEST_WAIT = 1.0, 30.0
"""Seconds. Limits may be changed meanwhile, so nobody waits for longer without a request."""
_tags: WeakKeyDictionary[Database, tuple[float, list[str]]] = WeakKeyDictionary()
"""The limited tags of each database and when to read them again: every answer to a report names them, and they hardly change."""


def limited_tags(db: Database, session: Session) -> list[str]:
    """The task tags that have a limit, as they were within the last two seconds."""
    now = clock.monotonic()
    until, tags = _tags.get(db, (0.0, []))
    if now >= until:
        tags = read_concurrency.limited_tags(session)
        _tags[db] = now + _CACHE_SECONDS, tags
    return tags


def forget_limits(db: Database) -> None:
    """Read the limits again at the next request, because they have changed."""
    _tags.pop(db, None)


@retried
def acquire(db: Database, actor: Actor, flow_run_id: UUID, request: AskSlots, *, now: datetime | None = None) -> Slots:
    """Grant a slot under each limit of the tags, or say who holds them. Raises StaleAttempt when the attempt has ended."""
    now = now or clock.now()
    _check(request)
    if request.release:
        return _release(db, actor, flow_run_id, request, now)
    with db.read() as session:  # most requests are in vain: those cost the writers nothing
        limits = read_concurrency.tag_limits(session, request.tags)
        refusal = _refusal(session, limits, flow_run_id, request, now)
    if refusal is not None or not limits:
        return refusal or Slots(granted=True)
    with db.write("slots") as session:
        limits = concurrency.lock_tag_limits(session, request.tags)
        refusal = _refusal(session, limits, flow_run_id, request, now) or _lateness(session, flow_run_id, request)
        if refusal is None and limits:
            _take(session, limits, flow_run_id, request, now)
        return refusal or Slots(granted=True)


@retried
def sweep(db: Database) -> int:
    """Delete slots that no longer count; how many there were."""
    with db.read() as session:
        if not read_concurrency.any_stale_slot(session):
            return 0
    with db.write("slots.sweep") as session:
        return concurrency.delete_stale_slots(session)


def _take(session: Session, limits: list[TagLimit], flow_run_id: UUID, request: AskSlots, now: datetime) -> None:
    slug, index = request.task_slug, request.map_index
    held = _held(session, limits, flow_run_id, request)
    for limit in limits:
        if limit.per is not None and limit.id not in held:
            concurrency.start(session, limit.id, flow_run_id, slug, index, now - timedelta(seconds=limit.per), now)
    concurrency.take(session, [limit.id for limit in limits], flow_run_id, slug, index, request.attempt, now)


def _held(session: Session, limits: list[TagLimit], flow_run_id: UUID, request: AskSlots) -> set[UUID]:
    """The limits under which the task run has been granted what it requests: the answer to that request was lost."""
    ids = [limit.id for limit in limits]
    return read_concurrency.holds(session, ids, flow_run_id, request.task_slug, request.map_index, request.attempt)


def _refusal(
    session: Session, limits: list[TagLimit], flow_run_id: UUID, request: AskSlots, now: datetime
) -> Slots | None:
    """Why not now; None: there is a slot under each limit. If the run ends just after this check, its slots no longer count anyway."""
    _require_live(session, flow_run_id, request.attempt)
    return _full(session, [limit for limit in limits if limit.per is None], flow_run_id, request) or _too_fast(
        session, [limit for limit in limits if limit.per is not None], flow_run_id, request, now
    )


def _too_fast(
    session: Session, limits: list[TagLimit], flow_run_id: UUID, request: AskSlots, now: datetime
) -> Slots | None:
    """The rate limit under which the task can start last, and when."""
    held = _held(session, limits, flow_run_id, request) if limits else set()
    refusals = [wait for limit in limits if limit.id not in held and (wait := _wait(session, limit, now)) is not None]
    return max(refusals, key=lambda refusal: refusal.retry_after, default=None)


def _wait(session: Session, limit: TagLimit, now: datetime) -> Slots | None:
    """When one more task may start under a rate limit: a period after the first of as many starts as it allows. None: now."""
    period = timedelta(seconds=limit.per or 0)
    last = read_concurrency.nth_newest_start(session, limit.id, now - period, now, limit.slots) if limit.slots else now
    if last is None:
        return None
    reason = rate_sentence(limit.name, limit.slots, limit.per or 0)
    wait = (last + period - now).total_seconds() if limit.slots else _PAUSED
    return Slots(granted=False, reason=reason, retry_after=min(wait, _LONGEST_WAIT), timed=True)


def _full(session: Session, limits: list[TagLimit], flow_run_id: UUID, request: AskSlots) -> Slots | None:
    """The first limit that has no slot left."""
    slug, index = request.task_slug, request.map_index
    used = read_concurrency.used_by_others(session, [limit.id for limit in limits], flow_run_id, slug, index)
    for limit in limits:
        taken = used.get(limit.id, 0)
        if taken >= limit.slots:
            rows = read_concurrency.longest_holders(session, limit.id, flow_run_id, slug, index, _NAMED)
            names = tuple(_holder(row) for row in rows)
            reason = full_sentence(f"The limit of task tag {limit.name}", limit.slots, taken, names)
            return Slots(granted=False, reason=reason, retry_after=0.05 if limit.slots else 1.0)
    return None


def _lateness(session: Session, flow_run_id: UUID, request: AskSlots) -> Slots | None:
    """A request that was held up until its task has asked again and has ended must take nothing: nobody would give that back."""
    id = ids.derived(flow_run_id, request.task_slug, request.map_index)
    known = task_runs.by_ids(session, [id]).get(id)
    if known is None or known.attempt != request.attempt or not ends_task(known.state_type, known.state_name):
        return None
    return Slots(granted=False, reason="The task run has ended.")


@retried
def _release(db: Database, actor: Actor, flow_run_id: UUID, request: AskSlots, now: datetime) -> Slots:
    with db.write("slots.release") as session:
        _require_live(session, flow_run_id, request.attempt)
        concurrency.free(session, flow_run_id, [(request.task_slug, request.map_index)])
        announce(session, "flow_run", flow_run_id, "flow_run.progress", {"freed": True}, actor, now)
    return Slots(granted=False)


def _require_live(session: Session, flow_run_id: UUID, attempt: int) -> None:
    run = flow_runs.attempt_state(session, flow_run_id)
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    refusal = may_start_tasks(run, attempt)
    if refusal is not None:
        raise conflict(refusal)


def _check(request: AskSlots) -> None:
    if not request.task_slug or len(request.task_slug) > MAX_SLUG or "\0" in request.task_slug:
        raise Invalid("The slug of the task is empty or too long.")
    if not -1 <= request.map_index <= MAX_INDEX:
        raise Invalid("The map index of the task is out of range.")
    if len(request.tags) > _MOST_TAGS:
        raise Invalid(f"A task can request at most {_MOST_TAGS} tags at once.")


def _holder(row: SlotHolder) -> str:
    return f"{row.name}/{row.task_slug}" + (f"[{row.map_index}]" if row.map_index >= 0 else "")
