"""Bundles of code and results that the appliance keeps, in GraphQL: what is known of them, and never their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.bundles import BundleFlow, BundleRow
from appliance.server.db.rows.kept_results import KeptResultRow
from appliance.server.graphql.scalars import BigInt


@strawberry.type(description="A flow of which a version names a bundle.")
class BundleUser:
    flow_id: UUID
    flow_name: str


@strawberry.type(description="The code of flows, which only their runs get. Sealed code can't be read by the server.")
class Bundle:
    id: UUID
    project_name: str
    digest: str
    size: BigInt = strawberry.field(description="In bytes.")
    sealed: bool
    key_id: str | None = strawberry.field(description="Which key has sealed it; null: none, or nobody said.")
    created: datetime
    created_by: str
    used: datetime = strawberry.field(description="When someone who registers flows last asked for it.")
    version_count: int = strawberry.field(description="How many versions of flows name it; without any, it is removed.")
    used_by: list[BundleUser] = strawberry.field(description="By name, at most 20.")
    user_count: int


@strawberry.type
class BundlePage:
    items: list[Bundle]
    next: str | None


@strawberry.type(description="A result of a run. One without a run is shared by the runs of its project.")
class KeptResult:
    id: UUID
    project_name: str
    flow_run_id: UUID | None
    flow_run_name: str | None
    flow_id: UUID | None
    flow_name: str | None
    location: str
    size: BigInt = strawberry.field(description="In bytes.")
    sealed: bool
    key_id: str | None = strawberry.field(description="Which key has sealed it; null: none, or nobody said.")
    stored: datetime
    expires: datetime | None = strawberry.field(description="Null: with its run, or never.")


@strawberry.type
class KeptResultPage:
    items: list[KeptResult]
    next: str | None


@strawberry.type(description="How many there are, and their bytes.")
class KeptTotal:
    count: BigInt
    bytes: BigInt


@strawberry.type(description="What bundles and results take, and the most bytes that are taken; 0: no limit.")
class KeptTotals:
    bundles: KeptTotal
    results: KeptTotal
    most_bytes_of_bundle: BigInt
    most_bytes_of_result: BigInt
    most_bytes_of_run: BigInt = strawberry.field(description="All results of one run.")
    most_bytes_of_project: BigInt = strawberry.field(description="Bundles and results, together with all else.")


@strawberry.input(description="Its task runs again when the result is needed.")
class DeleteKeptResultInput:
    result_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class DeleteKeptResultPayload:
    result_id: UUID


def bundle(row: BundleRow, uses: Sequence[BundleFlow]) -> Bundle:
    return Bundle(
        id=row.id,
        project_name=row.project,
        digest=row.digest,
        size=BigInt(row.size),
        sealed=row.sealed,
        key_id=row.key_id,
        created=row.created,
        created_by=row.created_by,
        used=row.used,
        version_count=row.versions,
        used_by=[BundleUser(flow_id=use.flow_id, flow_name=use.flow) for use in uses],
        user_count=uses[0].total if uses else 0,
    )


def kept_result(row: KeptResultRow) -> KeptResult:
    return KeptResult(
        id=row.id,
        project_name=row.project,
        flow_run_id=row.flow_run_id,
        flow_run_name=row.flow_run,
        flow_id=row.flow_id,
        flow_name=row.flow,
        location=row.location,
        size=BigInt(row.size),
        sealed=row.sealed,
        key_id=row.key_id,
        stored=row.stored,
        expires=row.expires,
    )
