"""Names for JSON whose shape this package does not decide: users, their flows or other programs do."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonDocument: TypeAlias = dict[str, Any]
"""A JSON object that is stored and passed on as it is."""

Parameters: TypeAlias = dict[str, Any]
"""The values of a flow's parameters, by name."""
