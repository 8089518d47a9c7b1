"""Operators on tasks: `a + b`, `a[0]`, `a > b` and so on become small tasks of their own; `a | b` only sets an order."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from appliance.core.comparisons import truth

T = TypeVar("T")


def _and(a: Any, b: Any) -> Any:
    return b if truth(a) else a


def _or(a: Any, b: Any) -> Any:
    return a if truth(a) else b


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Pow": operator.pow,
    "And": _and,
    "Or": _or,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
    "Equal": operator.eq,
    "NotEqual": operator.ne,
}


class OperatorMethods(Generic[T]):
    """What a task inherits to take part in expressions; `T` is the type of task that an expression yields."""

    __slots__ = ()

    @abstractmethod
    def _operate(self, name: str, left: Any, right: Any) -> T:
        """The task that applies the operator of that name."""

    @abstractmethod
    def __or__(self, other: Any) -> Any:
        """`other`, which runs after this task."""

    @abstractmethod
    def __ror__(self, other: Any) -> T:
        """This task, which runs after `other`."""

    @abstractmethod
    def __getitem__(self, key: Any) -> T:
        """The task whose result is one item of this one's."""

    @abstractmethod
    def not_(self) -> T:
        """The task that negates the result."""

    def is_equal(self, other: Any) -> T:
        return self._operate("Equal", self, other)

    def is_not_equal(self, other: Any) -> T:
        return self._operate("NotEqual", self, other)

    def or_(self, other: Any) -> T:
        """The first of the two results that is true; `a | b` is an order, not a condition."""
        return self._operate("Or", self, other)

    def __add__(self, other: Any) -> T:
        return self._operate("Add", self, other)

    def __radd__(self, other: Any) -> T:
        return self._operate("Add", other, self)

    def __sub__(self, other: Any) -> T:
        return self._operate("Sub", self, other)

    def __rsub__(self, other: Any) -> T:
        return self._operate("Sub", other, self)

    def __mul__(self, other: Any) -> T:
        return self._operate("Mul", self, other)

    def __rmul__(self, other: Any) -> T:
        return self._operate("Mul", other, self)

    def __truediv__(self, other: Any) -> T:
        return self._operate("Div", self, other)

    def __rtruediv__(self, other: Any) -> T:
        return self._operate("Div", other, self)

    def __floordiv__(self, other: Any) -> T:
        return self._operate("FloorDiv", self, other)

    def __rfloordiv__(self, other: Any) -> T:
        return self._operate("FloorDiv", other, self)

    def __mod__(self, other: Any) -> T:
        return self._operate("Mod", self, other)

    def __rmod__(self, other: Any) -> T:
        return self._operate("Mod", other, self)

    def __pow__(self, other: Any) -> T:
        return self._operate("Pow", self, other)

    def __rpow__(self, other: Any) -> T:
        return self._operate("Pow", other, self)

    def __and__(self, other: Any) -> T:
        return self._operate("And", self, other)

    def __rand__(self, other: Any) -> T:
        return self._operate("And", other, self)

    def __gt__(self, other: Any) -> T:
        return self._operate("GreaterThan", self, other)

    def __ge__(self, other: Any) -> T:
        return self._operate("GreaterThanOrEqual", self, other)

    def __lt__(self, other: Any) -> T:
        return self._operate("LessThan", self, other)

    def __le__(self, other: Any) -> T:
        return self._operate("LessThanOrEqual", self, other)
