"""The pytest fixtures, used as somebody's own tests use them."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ["pytester"]

TESTS = """
from datetime import timedelta
import socket

import pytest
from appliance import Flow, get_logger, task
from appliance.testing import NetworkRefused, assert_states

tries = []

@task(max_retries=3, retry_delay=timedelta(hours=1))
def flaky():
    get_logger().info("try %d", len(tries))
    tries.append(1)
    if len(tries) < 3:
        raise ConnectionError("away")

with Flow("f") as flow:
    flaky()

def test_it_retries(stopped_clock, flow_log, no_network):
    assert_states(flow.run(), flaky="Success")
    assert stopped_clock.waits == [timedelta(hours=1)] * 2
    assert flow_log.of("flaky-1")[0] == "try 0"
    with pytest.raises(NetworkRefused):
        socket.create_connection(("192.0.2.1", 80))

def test_it_fails():
    assert_states(flow.run(), flaky="Failed")
"""


def test_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "appliance.testing.plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: 'flaky': Success (Task run succeeded.) instead of Failed*"])


def test_the_plugin_is_light(pytester: pytest.Pytester) -> None:
    code = (
        "import sys, appliance.testing.plugin; print([m for m in ('appliance.engine', 'asyncio') if m in sys.modules])"
    )
    assert pytester.run(sys.executable, "-c", code).stdout.str().strip() == "[]"
