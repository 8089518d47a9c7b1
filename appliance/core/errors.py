"""What the SDK raises when it is used wrongly. Every message is one sentence that says what to do next.

ApplianceError
├─ FlowBuildError            the graph can't be what was asked for
│  ├─ CycleError             tasks wait for each other in a circle
│  └─ NoActiveFlowError      a task was called outside a flow
├─ TaskDefinitionError       the options or the signature of a task contradict each other
├─ ParameterError
│  ├─ UnknownParameterError
│  ├─ MissingParameterError
│  └─ ParameterTypeError
└─ ScheduleError             a schedule that can't be computed, or has no further times
"""

from __future__ import annotations


class ApplianceError(Exception):
    """The root of everything the SDK raises on purpose."""


class FlowBuildError(ApplianceError, ValueError):
    """A flow's graph can't be what was asked for."""


class CycleError(FlowBuildError):
    """Tasks wait for each other in a circle."""


class NoActiveFlowError(FlowBuildError):
    """A task was called outside a flow."""


class TaskDefinitionError(ApplianceError, ValueError):
    """The options or the signature of a task contradict each other."""


class ParameterError(ApplianceError, ValueError):
    """The values given for a flow's parameters don't fit."""


class UnknownParameterError(ParameterError):
    """A value was given for a parameter that the flow does not have."""


class MissingParameterError(ParameterError):
    """A required parameter got no value."""


class ParameterTypeError(ParameterError):
    """A value does not fit the type of its parameter."""


class ScheduleError(ApplianceError, ValueError):
    """A schedule that can't be computed, or that has no further times."""
