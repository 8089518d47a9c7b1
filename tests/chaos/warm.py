"""Loaded by the process from which the children of `children.py` are forked: it does once what each of them would do again."""

from __future__ import annotations

from tests.chaos import children

children.warmed()
