"""A child dies with its parent, however close to the fork the parent dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from appliance.kit import lifecycle

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux kills children with a parent")
TRIES = 50


def until_end(reader: int) -> bytes:
    """What the child has written when nothing holds its pipe any more, which only its death ensures."""
    content = b""
    while part := os.read(reader, 100):
        content += part
    return content


def assert_read(reader: int) -> None:
    assert os.read(reader, 1)


def child_of(parent: Callable[[int], None], child: Callable[[int, int, int], None]) -> bytes:
    """Fork a parent, which forks a child; what the child wrote before it died. The parent gets the child's pid; the child the parent's,
    a file that ends with its parent, and a file to write to."""
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        gone, held = os.pipe()
        pid = os.getpid()
        second = os.fork()
        if second == 0:
            os.close(held)
            child(pid, gone, writer)
            os._exit(0)
        os.close(writer)
        parent(second)
        os.kill(pid, signal.SIGKILL)
    os.close(writer)
    os.waitpid(first, 0)
    content = until_end(reader)
    os.close(reader)
    return content


def wait_for_ever(parent: int, _gone: int, writer: int) -> None:
    lifecycle.die_with(parent)
    os.write(writer, b"alive")
    signal.pause()


def wait_until_orphaned(parent: int, gone: int, writer: int) -> None:
    os.read(gone, 1)
    while os.getppid() == parent:  # its files close a moment before its children get a new parent
        os.sched_yield()
    lifecycle.die_with(parent)
    os.write(writer, b"alive")
    signal.pause()


def test_one_whose_parent_died_before_it_asked_ends_at_once() -> None:
    assert child_of(lambda _pid: None, wait_until_orphaned) == b""


def test_one_whose_parent_dies_around_the_fork_never_stays() -> None:
    """Each try ends only when the child has died."""
    for _ in range(TRIES):
        assert child_of(lambda _pid: None, wait_for_ever) in (b"", b"alive")


def test_one_whose_parent_dies_later_is_killed() -> None:
    reader, writer = os.pipe()

    def ready(parent: int, _gone: int, output: int) -> None:
        lifecycle.die_with(parent)
        os.write(writer, b"!")
        wait_for_ever(parent, 0, output)

    assert child_of(lambda _pid: assert_read(reader), ready) in (b"", b"alive")
    os.close(reader)
    os.close(writer)
