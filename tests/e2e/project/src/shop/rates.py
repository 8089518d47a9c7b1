"""A helper of the flow."""

from __future__ import annotations

from dataclasses import dataclass

RATE = 2


@dataclass
class Order:
    """What a task gives to the next one."""

    amount: int

    @property
    def total(self) -> int:
        return self.amount * RATE
