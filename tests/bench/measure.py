"""Numbers of one measurement: repeats, the median with its range, the machine, and how a ratio is printed."""

from __future__ import annotations

import json
import math
import os
import platform
import sqlite3
import statistics
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Series:
    """Repeated values of one measure."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def line(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{self.name:<58} {self.median:>12,.2f} {self.unit:<8} ({low:,.2f} .. {high:,.2f}, n={len(self.values)})"

    def document(self) -> dict[str, object]:
        return {"name": self.name, "unit": self.unit, "median": self.median, "values": self.values}


def ratio_line(text: str, value: float, digits: int = 1) -> str:
    return f"{text:<58} {value:>12,.{digits}f} x"


def publish(series: Collection[Series], ratios: Mapping[str, float], file: Path | None, digits: int = 1) -> None:
    """Print the machine, the figures, and their ratios with so many digits; write them to a JSON file too if one is named."""
    print(json.dumps(machine()))
    for one in series:
        print(one.line())
    for text, value in ratios.items():
        print(ratio_line(text, value, digits))
    if file is not None:
        document = {"machine": machine(), "series": [one.document() for one in series], "ratios": ratios}
        file.write_text(json.dumps(document, indent=2) + "\n")


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    root = Path(__file__).resolve().parents[2]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(terse=True),
        "database": "SQLite, WAL, synchronous=FULL",
    }


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: the smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(round(share * len(values), 9)) - 1)]
