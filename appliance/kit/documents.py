"""Type names for JSON whose structure is decided elsewhere: by users, their flows, or other programs."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonDocument: TypeAlias = dict[str, Any]
"""A JSON object that is stored and passed on unchanged."""

Parameters: TypeAlias = dict[str, Any]
"""The values of a flow's parameters, by name."""
