"""The root of the error tree: everything that Appliance raises on purpose."""

from __future__ import annotations


class ApplianceError(Exception):
    """The root of everything that Appliance raises on purpose."""
