"""All flows of the parity suite: importing a module with some of them enters them into CASES, so nobody imports fewer than all."""

from __future__ import annotations

from tests.conformance import (  # noqa: F401 - their flows enter the list
    parity_attempts,
    parity_branches,
    parity_engine,
    parity_flows,
    parity_surroundings,
    parity_values,
)
from tests.conformance.parity_cases import CASES

__all__ = ["CASES"]
