"""Answers as clusters give them, by the public documentation of Kubernetes: shapes and words, for what a test says of a pod, and to hold the fake to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "records"


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return found


def all_names() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.json"))
