"""When an earlier result of a task is still valid: validators, and the key under which such a result is looked up.

A validator is a function `(state, inputs, parameters) -> bool` over the earlier run's Cached state, which has the fingerprints of its
inputs and parameters, and this run's values. Those below also declare what they compare, so that each combination of
values has a record of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.core.async_functions import plain_value
from appliance.core.fingerprints import fingerprint
from appliance.core.states import Cached
from appliance.kit import options

Validator = Callable[[Cached, Mapping[str, Any], Mapping[str, Any]], bool]

_ALL = None
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CacheValidator:
    """Accepts a result while the named inputs and parameters are the same; None means all of them."""

    __name__: str
    inputs: frozenset[str] | None = _NONE
    parameters: frozenset[str] | None = _NONE
    never: bool = False

    def __call__(self, state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        """Is the earlier result valid for these values?"""
        return (
            not self.never
            and same(state.hashed_inputs, inputs, self.inputs)
            and same(state.cached_parameters, parameters, self.parameters)
        )

    def __repr__(self) -> str:
        return self.__name__


never_use = CacheValidator("never_use", never=True)
"""An earlier result is never valid."""

duration_only = CacheValidator("duration_only")
"""Valid until it expires, whatever the inputs are. Each child of a mapped task has its own result."""

all_inputs = CacheValidator("all_inputs", inputs=_ALL)
"""Valid while all inputs of the task are the same."""

all_parameters = CacheValidator("all_parameters", parameters=_ALL)
"""Valid while all parameters of the flow are the same."""


def partial_inputs_only(validate_on: Iterable[str]) -> CacheValidator:
    """Valid while these inputs of the task are the same."""
    return CacheValidator("partial_inputs_only", inputs=_names(validate_on))


def partial_parameters_only(validate_on: Iterable[str]) -> CacheValidator:
    """Valid while these parameters of the flow are the same."""
    return CacheValidator("partial_parameters_only", parameters=_names(validate_on))


@dataclass(frozen=True, slots=True)
class Lookup:
    """What identifies a result: the name of its record, and the fingerprints that go into it."""

    name: str
    inputs: dict[str, str]
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """An earlier result: when it was made, when it expires, and its location; without a location the result is None."""

    created: datetime
    expires: datetime
    location: str | None
    sha256: str | None
    inputs: dict[str, str]
    parameters: dict[str, str]

    def state(self) -> Cached:
        """The record as the state that validators receive."""
        return Cached(
            hashed_inputs=self.inputs, cached_parameters=self.parameters, cached_result_expiration=self.expires
        )


class NotComparable(Exception):
    """An input or parameter has no content that can be compared; the message names it."""


def lookup(
    validator: Validator, key: tuple[str, ...], map_index: int, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Lookup:
    """Where to look for an earlier result. Raises NotComparable.

    A validator that compares inputs matches any child of a mapped task; otherwise each child has its own entry.
    """
    if isinstance(validator, CacheValidator):
        hashed = _fingerprints(inputs, validator.inputs, "input")
        parameters_hashed = _fingerprints(parameters, validator.parameters, "parameter")
        place = [map_index if validator.inputs == _NONE else -1, hashed, parameters_hashed]
    else:
        hashed, parameters_hashed = _fingerprints(inputs, _ALL, "input"), _fingerprints(parameters, _ALL, "parameter")
        place = [map_index]
    text = json.dumps([key, *place], sort_keys=True)
    return Lookup(hashlib.sha256(text.encode()).hexdigest(), hashed, parameters_hashed)


def holds(
    record: Record, validator: Validator, now: datetime, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> bool:
    """Has the result not expired, and does the validator accept it?"""
    return now < record.expires and bool(plain_value("cache_validator", validator(record.state(), inputs, parameters)))


def same(hashed: Mapping[str, str] | None, values: Mapping[str, Any], names: frozenset[str] | None) -> bool:
    """Have the named values (None: all) these fingerprints?"""
    before = hashed or {}
    if names is None:
        names = frozenset(before) | frozenset(values)
    return all(name in before and name in values and before[name] == fingerprint(values[name]) for name in names)


def _names(validate_on: Iterable[str]) -> frozenset[str]:
    options.require("validate_on", validate_on, Iterable, "a list of at least one name")
    names = frozenset([validate_on] if isinstance(validate_on, str) else validate_on)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("validate_on must be a list of at least one name.")
    return names


def _fingerprints(values: Mapping[str, Any], names: frozenset[str] | None, what: str) -> dict[str, str]:
    digests = {}
    for name in sorted(values if names is None else names):
        if name not in values:
            raise NotComparable(f"there is no {what} {name!r} (known: {', '.join(values) or 'none'})")
        digest = fingerprint(values[name])
        if digest is None:
            raise NotComparable(f"{what} {name!r} of type {type(values[name]).__name__} can't be compared")
        digests[name] = digest
    return digests
