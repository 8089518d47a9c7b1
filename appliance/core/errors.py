"""What the SDK raises when it is misused. Every message is one sentence that says what to do next.

ApplianceError
├─ FlowBuildError            the graph can't be built as requested
│  ├─ CycleError             tasks wait for each other in a circle
│  └─ NoActiveFlowError      a task was called outside a flow
├─ TaskDefinitionError       the options or the signature of a task contradict each other
├─ ParameterError
│  ├─ UnknownParameterError
│  ├─ MissingParameterError
│  └─ ParameterTypeError
├─ ScheduleError             a schedule that can't be computed, or has no further times
├─ SecretError              a secret can't be found or read
├─ ArtifactError            an artifact can't be made as requested
├─ OneShotError             a value can be read only once, and more than one may read it
└─ ResultError               a result can't be written, found or read
   ├─ ResultLocationError    its location leaves its store or can't be rendered
   ├─ ResultNotFoundError    there is nothing at its location
   ├─ ResultCorruptError     its content is not what was written
   └─ ResultTypeError        its value can't be serialized
"""

from __future__ import annotations

from appliance.kit.errors import ApplianceError


class FlowBuildError(ApplianceError, ValueError):
    """A flow's graph can't be built as requested."""


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
    """A required parameter has no value."""


class ParameterTypeError(ParameterError):
    """A value does not fit the type of its parameter."""


class ArtifactError(ApplianceError, ValueError):
    """An artifact can't be made as requested."""


class SecretError(ApplianceError, LookupError):
    """A secret can't be found or read."""


class OneShotError(ApplianceError, TypeError):
    """A value can be read only once, such as an open file, where more than one may read it."""


class ResultError(ApplianceError):
    """A result can't be written, found or read."""


class ResultLocationError(ResultError, ValueError):
    """The location of a result leaves its store or can't be rendered."""


class ResultNotFoundError(ResultError):
    """There is nothing at the location of a result."""


class ResultCorruptError(ResultError):
    """The content at the location of a result is not what was written."""


class RepeatError(ApplianceError):
    """A later attempt of a run would run a task again that is marked never_repeat."""


class ResultTypeError(ResultError, TypeError):
    """The value of a result can't be serialized."""
