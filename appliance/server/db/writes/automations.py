"""Writing automations and their deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Unpack, cast
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.automations import (
    AutomationColumns,
    AutomationRow,
    DeliveryColumns,
    DeliveryRow,
    NewAutomation,
    NewDelivery,
)
from appliance.server.db.tables.automations import Automation, Delivery
from appliance.server.db.tables.columns import table
from appliance.server.db.upserts import upsert

_automations = table(Automation)
_deliveries = table(Delivery)


def add(session: Session, row: NewAutomation) -> None:
    session.connection().execute(insert(_automations), dict(row))


def lock(session: Session, automation_id: UUID) -> AutomationRow | None:
    """The automation, which stays as it is until the transaction ends."""
    statement = select(_automations).where(_automations.c.id == automation_id).with_for_update()
    return cast(AutomationRow | None, session.connection().execute(statement).one_or_none())


def hold(session: Session, ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of these are still enabled; they stay so until the transaction ends."""
    statement = select(_automations.c.id).where(_automations.c.id.in_(ids), _automations.c.enabled)
    return frozenset(readable.scalars(session, statement.with_for_update(read=True)))


def change(session: Session, automation_id: UUID, **columns: Unpack[AutomationColumns]) -> None:
    session.connection().execute(update(_automations).where(_automations.c.id == automation_id).values(**columns))


def remove(session: Session, automation_id: UUID) -> str | None:
    """Delete an automation and its deliveries; its name, or None if there is none with this id."""
    statement = delete(_automations).where(_automations.c.id == automation_id).returning(_automations.c.name)
    return cast(str | None, session.connection().execute(statement).scalar_one_or_none())


def add_deliveries(session: Session, rows: list[NewDelivery]) -> None:
    """Insert deliveries; one that an automation has for its event already stays as it is."""
    if rows:
        statement = upsert(session, _deliveries).on_conflict_do_nothing(index_elements=["automation_id", "event_id"])
        session.connection().execute(statement, [dict(row) for row in rows])


def lock_delivery(session: Session, delivery_id: UUID) -> DeliveryRow | None:
    """The delivery, which stays as it is until the transaction ends."""
    statement = select(_deliveries).where(_deliveries.c.id == delivery_id).with_for_update()
    return cast(DeliveryRow | None, session.connection().execute(statement).one_or_none())


def mark(session: Session, delivery_id: UUID, **columns: Unpack[DeliveryColumns]) -> None:
    session.connection().execute(update(_deliveries).where(_deliveries.c.id == delivery_id).values(**columns))


def drop_pending(session: Session, reason: str, now: datetime) -> int:
    """Nothing that is pending is sent any more; how many that were."""
    statement = update(_deliveries).where(_deliveries.c.state == "pending")
    values: Mapping[str, Any] = {"state": "dropped", "reason": reason, "tried_at": now}
    return session.connection().execute(statement.values(**values)).rowcount


def remove_old(session: Session, before: datetime, limit: int) -> int:
    """Delete deliveries that were settled and created before this time."""
    old = select(_deliveries.c.id).where(_deliveries.c.created < before, _deliveries.c.state != "pending").limit(limit)
    return session.connection().execute(delete(_deliveries).where(_deliveries.c.id.in_(old.scalar_subquery()))).rowcount
