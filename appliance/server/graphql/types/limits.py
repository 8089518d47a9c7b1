"""Limits on how many runs or tasks run at once in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.reads.limit_use import Holder, LimitUse


@strawberry.type(description="A run that holds a slot, or its task, under the limit of a task tag.")
class SlotHolder:
    flow_run_id: UUID
    flow_run_name: str
    since: datetime
    task_slug: str | None
    map_index: int


@strawberry.type(
    description="How many may run at once, or with per, how many tasks may start in so many seconds. The name is a label, a task tag, or a "
    "flow written as project/flow."
)
class ConcurrencyLimit:
    id: UUID
    kind: str
    name: str
    slots: int
    used: int
    per: float | None
    holders: list[SlotHolder] = strawberry.field(
        description="The longest-held first, at most 50. With per, the newest starts first."
    )


@strawberry.input(
    description="The kind is flow, label, task_tag, or task_rate, which has per, a period in seconds. A limit of the same kind and name gets the "
    "new numbers."
)
class SetConcurrencyLimitInput:
    kind: str
    name: str
    slots: int
    per: float | None = None
    idempotency_key: str | None = None


@strawberry.input
class RemoveConcurrencyLimitInput:
    concurrency_limit_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class SetConcurrencyLimitPayload:
    concurrency_limit: ConcurrencyLimit


@strawberry.type
class RemoveConcurrencyLimitPayload:
    concurrency_limit_id: UUID


def limit(use: LimitUse) -> ConcurrencyLimit:
    return ConcurrencyLimit(
        id=use.id,
        kind=use.kind,
        name=use.name,
        slots=use.slots,
        used=use.used,
        per=use.per,
        holders=[_holder(holder) for holder in use.holders],
    )


def _holder(holder: Holder) -> SlotHolder:
    return SlotHolder(
        flow_run_id=holder.flow_run_id,
        flow_run_name=holder.flow_run,
        since=holder.since,
        task_slug=holder.task_slug,
        map_index=holder.map_index,
    )
