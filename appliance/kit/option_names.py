"""Names of options: one that does not exist is refused, with the one that was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_MEANT = {
    "retries": "max_retries",
    "retry": "max_retries",
    "attempts": "max_retries",
    "delay": "retry_delay",
    "retry_delay_seconds": "retry_delay",
    "retry_backoff": "retry_delay",
    "retry_condition_fn": "retry_on",
    "retry_jitter_factor": "retry_jitter",
    "timeout_seconds": "timeout",
    "execution_timeout": "timeout",
    "trigger_rule": "trigger",
    "log_prints": "log_stdout",
    "cache": "cache_for",
    "cache_expiration": "cache_for",
    "cache_key_fn": "cache_key",
    "cache_policy": "cache_validator",
    "persist_result": "checkpoint",
    "result_storage": "result",
    "result_handler": "result",
    "run_name": "task_run_name",
    "on_failure_callback": "on_failure",
    "task_id": "slug",
    "num_outputs": "nout",
    "cron": "schedule",
    "interval": "schedule",
    "schedules": "schedule",
    "task_runner": "executor",
    "environment": "run_config",
    "project_name": "project",
    "parameter_defaults": "parameters",
    "num_workers": "max_workers",
    "n_workers": "max_workers",
    "processes": "max_workers",
    "threads": "max_workers",
}
"""What other orchestrators call an option, and people by memory, where spelling alone does not lead to ours."""


def refuse_unknown(subject: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError for the first given name that is not known. `subject` begins the sentence, such as "A task"."""
    for name in given:
        if name not in known:
            raise TypeError(f"{subject} has no option {name!r}; {_advice(name, known)}")


def _advice(name: str, known: Collection[str]) -> str:
    close = meant(name, known)
    return f"did you mean {close}=...?" if close else f"its options are {', '.join(sorted(known))}."


def meant(name: str, known: Collection[str], likeness: float = 0.6) -> str | None:
    """The known name that was probably meant; `likeness` is the least that counts, up to 1 for the same."""
    from difflib import get_close_matches  # only a mistake needs it

    close = [other] if (other := _MEANT.get(name.lower())) in known else get_close_matches(name, known, 1, likeness)
    return close[0] if close else None
