"""The errors of places that are controlled from outside by requests, such as a container engine or a cluster."""

from __future__ import annotations


class PlaceAway(Exception):
    """The place can't be reached, or doesn't answer. The message is a sentence."""


class PlaceRefused(Exception):
    """The place has refused a request. The message is what it said, as a sentence; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passes(self) -> bool:
        """Whether the place itself is unwell or busy, so that it may do the same later."""
        return self.status == 429 or self.status >= 500

    @property
    def is_there(self) -> bool:
        """Whether the place has something of this name already."""
        return self.status == 409
