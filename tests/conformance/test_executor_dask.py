"""What is Dask's own: temporary clusters, resources, and what can't be stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from appliance.core import states
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors import dask_settings
from appliance.engine.executors.dask import DaskExecutor, wanted_resources
from appliance.kit.errors import ApplianceError
from tests.conformance.executor_cases import Trace
from tests.conformance.test_executor_processes import gone


@task
def pid() -> int:
    return os.getpid()


def run(flow: Flow, executor: DaskExecutor) -> State:
    state = flow.run(executor=executor)
    assert state is not None
    return state


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ApplianceError, match=r"pip install 'appliance-flows\[dask\]'"):
        DaskExecutor().start()


def test_an_address_and_a_temporary_cluster_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="not both"):
        DaskExecutor(address="tcp://host:8786", cluster_kwargs={"n_workers": 1})


def test_a_cluster_that_is_not_there() -> None:
    executor = DaskExecutor(address="tcp://127.0.0.1:1", client_kwargs={"timeout": 0.3})
    with pytest.raises(ApplianceError, match=r"Can't connect to the Dask cluster at tcp://127\.0\.0\.1:1"):
        executor.start()


def test_the_settings_of_dask_are_restored_after_the_last_of_overlapping_runs() -> None:
    import dask
    import distributed  # noqa: F401 - which brings its settings

    name = "distributed.scheduler.allowed-failures"
    before = dask.config.get(name)
    dask_settings.apply()
    dask_settings.apply()
    dask_settings.release()
    assert dask.config.get(name) == 0
    dask_settings.release()
    assert dask.config.get(name) == before


def test_resources_come_from_tags() -> None:
    assert wanted_resources(["x", "dask-resource:GPU=1", "dask-resource:MEM=0.5"]) == {"GPU": 1.0, "MEM": 0.5}


def test_a_resource_tag_that_is_not_understood(cluster: Any) -> None:
    with Flow("f") as flow:
        tagged = pid.copy(tags=["dask-resource:GPU"]).bind()
    state = run(flow, DaskExecutor(address=cluster.scheduler_address))
    assert "write it as dask-resource:GPU=1" in str(state.result[tagged].message)


def test_code_that_runs_too_long_on_a_foreign_cluster_goes_on(cluster: Any, trace: Trace) -> None:
    @task(timeout=0.2)
    def hangs() -> None:
        trace.wait_for("go on")
        trace.add("went on")

    with Flow("f") as flow:
        late = hangs()
    state = run(flow, DaskExecutor(address=cluster.scheduler_address)).result[late]
    assert isinstance(state, states.TimedOut)
    assert "its code may continue in its Dask worker" in str(state.message)
    trace.add("go on")
    trace.wait_for("went on")


def test_a_temporary_cluster_with_resources_kills_what_runs_too_long(trace: Trace) -> None:
    """One cluster for several promises, since each takes seconds to start."""

    @task(timeout=0.3, tags=["dask-resource:GPU=1"])
    def hangs() -> None:
        import ctypes

        trace.add(str(os.getpid()))
        ctypes.PyDLL(None).sleep(60)  # never gives the interpreter back

    with Flow("f") as flow:
        late = hangs()
        after = pid(upstream_tasks=[])
    options = {"n_workers": 1, "resources": {"GPU": 1}}
    state = run(flow, DaskExecutor(cluster_class="distributed.LocalCluster", cluster_kwargs=_quiet() | options))
    assert isinstance(state.result[late], states.TimedOut)
    assert "its Dask worker was killed" in str(state.result[late].message)
    assert state.result[after].is_successful()
    assert gone(int(trace.lines()[0]))
    assert gone(state.result[after].result)


def test_an_adaptive_cluster_grows_from_nothing() -> None:
    with Flow("f") as flow:
        one = pid()
    executor = DaskExecutor(adapt_kwargs={"minimum": 0, "maximum": 1})
    state = run(flow, executor)
    assert state.result[one].result != os.getpid()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("appliance-task")]


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from appliance import DaskExecutor, Flow, task\n"
        "with Flow('f') as flow:\n"
        "    task(lambda: 1)()\n"
        "flow.run(executor=DaskExecutor(cluster_kwargs={'n_workers': 1}))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert "Failed. DaskExecutor can't start" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr


def _quiet() -> dict[str, Any]:
    return {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
