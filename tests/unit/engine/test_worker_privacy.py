"""Workers of a ProcessExecutor show as little of themselves as the process of the flow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors import ProcessExecutor
from appliance.kit import hidden_memory

VALUE = b"open sesame"


@task
def look() -> tuple[bool, bool, bool]:
    """Whether the task has the secret, whether /proc shows it, and whether others may look."""
    environs = [Path(f"/proc/{pid}/environ").read_bytes() for pid in ("self", os.getppid())]
    in_proc = any(VALUE in environ for environ in environs)
    return os.environ["APPLIANCE_SECRET_DOOR"].encode() == VALUE, in_proc, hidden_memory.is_hidden()


@pytest.mark.parametrize("hidden", [True, False])
def test_workers_hide_as_the_process_of_the_flow_does(monkeypatch: pytest.MonkeyPatch, hidden: bool) -> None:
    if hidden and os.geteuid() != 0:
        pytest.skip("only root can look at the parent then")
    monkeypatch.setenv("APPLIANCE_SECRET_DOOR", VALUE.decode())
    monkeypatch.setattr(hidden_memory, "is_hidden", lambda: hidden)
    with Flow("private", executor=ProcessExecutor()) as flow:
        seen = look()
    state = flow.run()
    assert isinstance(state, State)
    assert state.is_successful(), state.message
    assert state.result[seen].result == (True, False, hidden)
