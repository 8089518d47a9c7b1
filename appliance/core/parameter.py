"""Parameters: tasks whose result is the value that a run was started with."""

from __future__ import annotations

import typing
import warnings
from collections.abc import Iterable
from typing import Any, Never

from appliance.core.building import active_flow
from appliance.core.context import context
from appliance.core.errors import TaskDefinitionError
from appliance.core.iterators import listed_where_possible
from appliance.core.signals import FAIL
from appliance.core.task import Task
from appliance.kit import options
from appliance.kit.option_names import refuse_unknown

NO_DEFAULT: Any = type("NoDefault", (), {"__repr__": lambda self: "no default"})()


class Parameter(Task):
    """`Parameter("n", default=1)`; without a default it is required. Made inside `with Flow(...)` it belongs to that flow.

    `type` (any type hint) says which values fit; without it the hint of the argument that the parameter feeds does,
    then the type of the default.
    """

    always_rerun = True

    def __init__(
        self,
        name: str,
        default: Any = NO_DEFAULT,
        required: bool | None = None,
        type: Any = None,
        tags: Iterable[str] | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown("A parameter", unknown, ("default", "required", "tags", "type"))
        if not isinstance(name, str) or not name:
            raise TaskDefinitionError('A parameter needs a name: Parameter("n").')
        super().__init__(name=name, slug=name, tags=tags)
        self.has_default = default is not NO_DEFAULT
        self.default = listed_where_possible(default) if self.has_default else None
        options.flag("required", required)
        self.required = not self.has_default if required is None else required
        if self.required and self.has_default:
            warnings.warn(f"Parameter {name!r} is required, so its default is never used; remove one.", stacklevel=2)
        self.type = _type_of(type)
        flow = active_flow.get()
        if flow is not None:
            flow.add_task(self)

    def copy(self, **changes: Any) -> typing.Self:
        """A parameter is one thing throughout its flow, so calling it never copies. Raises TaskDefinitionError for changes."""
        if changes:
            raise TaskDefinitionError(f"Parameter {self.name!r} takes no task_args; give it other options instead.")
        return self

    def run(self) -> Any:
        try:
            return context.parameters[self.name]
        except (KeyError, AttributeError):
            if self.required:
                raise FAIL(f'Parameter "{self.name}" was required but not provided.') from None
            return self.default


class DateTimeParameter(Parameter):
    """A parameter that is a time: an aware datetime or ISO 8601 text with an offset; tasks always receive a datetime in UTC.

    A time without an offset is refused, since it would mean a different instant on another machine.
    """

    def __init__(
        self,
        name: str,
        default: Any = NO_DEFAULT,
        required: bool | None = None,
        tags: Iterable[str] | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown("A DateTimeParameter", unknown, ("default", "required", "tags"))
        super().__init__(name, default, required, None, tags)


def _type_of(type: Any) -> Any:
    """A type hint; not a value, which would allow everything."""
    is_hint = callable(type) or isinstance(type, str) or typing.get_origin(type) is not None
    if type is not None and not is_hint and type.__class__.__module__ != "typing":
        raise TypeError("type must be a type, such as int or list[str].")
    return type
