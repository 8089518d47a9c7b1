"""The parts of a run's report that are not kept, because they are beyond a limit, and the lines in the run's log that say so."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.server.actions.report_rows import Batch
from appliance.server.domain.quotas import Quota
from appliance.server.domain.rules import Rules


def unregistered(slugs: list[str]) -> str:
    return f"States of tasks that the registered flow doesn't have were not kept: {_listed(slugs)}. Register the flow again."


def without_far_children(batch: Batch, most: int) -> list[str]:
    """Take the children of mapped tasks that are beyond the limit out of the batch; the slugs of their tasks."""
    far = {id: events[0].slug for id, events in batch.tasks.items() if events[0].map_index >= most}
    for id in far:
        del batch.tasks[id]
    return sorted(set(far.values()))


def beyond(rules: Rules, wide: list[str], endless: list[str], *, too_many: bool) -> Iterator[str]:
    """What is not kept, and which setting says so."""
    if wide:
        yield (
            f"Of a mapped task, {rules.mapped_children:,} children are kept, and no further ones of {_listed(wide)}; an administrator can "
            "raise APPLIANCE_MAPPED_CHILDREN."
        )
    if endless:
        yield (
            f"Of a task run, {rules.task_run_states:,} states are kept, and then only the final one of {_listed(endless)}; an administrator "
            "can raise APPLIANCE_TASK_RUN_STATES."
        )
    if too_many:
        yield (
            f"Of a run, {rules.flow_run_states:,} states are kept, and then only those with which it ends or waits; an administrator can "
            "raise APPLIANCE_FLOW_RUN_STATES."
        )


def spent(rules: Rules) -> str:
    """The one line of a run whose budget is spent."""
    return (
        f"This run has stored {rules.run_report_bytes:,} bytes of states. Of further ones, only how its tasks and the run end is kept, without "
        "messages and results; an administrator can raise APPLIANCE_RUN_REPORT_BYTES."
    )


def full(quota: Quota, rules: Rules) -> str:
    """The one line of a run whose project is full."""
    return (
        f"{quota.text(getattr(rules, quota.rule))}. Until then, only how its tasks and this run end is kept, without messages, results and "
        "log lines."
    )


def _listed(slugs: list[str]) -> str:
    return ", ".join(repr(slug[:80]) for slug in slugs[:3]) + (", and others" if len(slugs) > 3 else "")
