"""How a run goes on, in GraphQL."""

from __future__ import annotations

from collections.abc import Iterable

import strawberry

from appliance.protocol.continuation import Continuation as Message
from appliance.protocol.continuation import ContinuedTask as TaskMessage


@strawberry.type(description="Some or all of the runs of one task for which the same is true.")
class ContinuedTask:
    slug: str
    name: str
    count: int = strawberry.field(description="Task runs: of a mapped task, its children.")
    reason: str = strawberry.field(description="A stable code: failed, not_kept, stored, ...")
    sentence: str = strawberry.field(description="The reason for people.")
    mapped: bool
    indexes: list[int] = strawberry.field(description="The first of the mapped children.")
    begun: bool = strawberry.field(description="It has begun before, so that it runs again.")


@strawberry.type(
    description="What happens if the run is restarted or resumed now, or, if it waits for its next attempt, what that will do."
)
class Continuation:
    verb: str = strawberry.field(description="restart, resume, or wait.")
    runs: list[ContinuedTask] = strawberry.field(description="What the next attempt runs; at most 200 items.")
    reused: list[ContinuedTask] = strawberry.field(description="What it doesn't run; at most 200 items.")
    run_count: int
    again_count: int = strawberry.field(description="The task runs among them that have begun before.")
    reused_count: int
    omitted: int = strawberry.field(description="Items that the lists omit; the counts include them.")
    place: str = strawberry.field(description="Which agents can go on with the run; empty: any.")
    refusal: str = strawberry.field(description="Why it would be refused; empty: it would not.")


def continuation(preview: Message) -> Continuation:
    fields = {name: getattr(preview, name) for name in preview.__struct_fields__}
    return Continuation(**fields | {"runs": _tasks(preview.runs), "reused": _tasks(preview.reused)})


def _tasks(items: Iterable[TaskMessage]) -> list[ContinuedTask]:
    return [ContinuedTask(**{name: getattr(item, name) for name in item.__struct_fields__}) for item in items]
