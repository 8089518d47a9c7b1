"""The surroundings of code that builds a flow: the open flow, the tags that apply, and whether a file is only being loaded."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from appliance.core.errors import FlowBuildError
from appliance.kit.options import strings

T = TypeVar("T")
Line = tuple[str, int]
"""A file and the number of a line in it."""

_PACKAGE = __file__.rsplit(os.sep, 2)[0]


class FlowBuilder(Protocol[T]):
    """What tasks need from the flow they are added to; `T` is the type of its tasks."""

    @property
    def home(self) -> object:
        """The token by which a task remembers the flow it was called in."""

    @property
    def unused(self) -> dict[Any, Line]:
        """The tasks and resources made while the flow was open that are not in it and were not called, each with where it was made."""

    @property
    def slugs(self) -> Mapping[T, str]:
        """The flow's tasks in the order they were added, each with its slug."""

    def is_mapped(self, task: T) -> bool:
        """Does the task run once per element?"""

    def add_task(self, task: T) -> T:
        """Add a task that depends on nothing yet."""

    def set_dependencies(
        self,
        task: T,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
    ) -> None:
        """Add a task with all kinds of dependencies at once."""


active_flow: ContextVar[FlowBuilder[Any] | None] = ContextVar("active_flow", default=None)
active_tags: ContextVar[frozenset[str]] = ContextVar("active_tags", default=frozenset())
loading_flow: ContextVar[bool] = ContextVar("loading_flow", default=False)


@contextmanager
def building(flow: FlowBuilder[Any]) -> Iterator[None]:
    """Add the tasks that are called inside the block to that flow."""
    token = active_flow.set(flow)
    try:
        yield
    finally:
        active_flow.reset(token)


@contextmanager
def loading() -> Iterator[None]:
    """Mark that a flow file is being loaded, so that `flow.run()` and `flow.register()` at its bottom only warn."""
    token = loading_flow.set(True)
    try:
        yield
    finally:
        loading_flow.reset(token)


@contextmanager
def tags(*names: str) -> Iterator[None]:
    """Add tags to every task that is created inside the block."""
    token = active_tags.set(active_tags.get() | strings("tags", names))
    try:
        yield
    finally:
        active_tags.reset(token)


def is_loading(flow: object, name: str, verb: str) -> bool:
    """Is the file of the flow being loaded, so that `flow.run()` and the like at its bottom do nothing but warn?

    Raises FlowBuildError inside the flow's own block.
    """
    if active_flow.get() is flow:
        raise FlowBuildError(
            f"flow.{verb}() was called inside its own `with Flow(...)` block; call it after the block."
        )
    if loading_flow.get():
        warnings.warn(f"flow.{verb}() is ignored while the file of flow {name!r} is being loaded.", stacklevel=3)
        return True
    return False


def callers_line() -> Line | None:
    """The line that calls the current function, unless it is in this package."""
    frame = sys._getframe(2)
    line = frame.f_code.co_filename, frame.f_lineno
    return None if line[0].startswith(_PACKAGE) else line


def authors_line() -> Line:
    """The line outside of this package that the current call comes from."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
