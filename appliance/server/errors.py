"""The server's errors: one tree, and each carries all that the REST and GraphQL edges need to answer.

ServerError
|- Invalid          400 invalid          the request can't be used as it is
|- Unauthenticated  401 unauthenticated  no credential, or one that is not valid
|- Forbidden        403 forbidden        known, but not allowed
|- NotFound         404 not_found
|- Conflict         409 conflict         true when asked a moment ago, or against the rules of the object's state
|  |- StaleAttempt  409 stale_attempt    the attempt was replaced or has ended
|  `- SequenceGap   409 sequence_gap     a numbered batch is missing before this one
|- TooManyRequests  429 too_many_requests  slow down; `details` say for how long
`- Unavailable      503 unavailable      try again later
   |- SetupRequired 503 setup_required   nobody has claimed this appliance yet
   |- Contended     503 contended        it met another change and was undone; the same again will do
   |- Interrupted   503 interrupted      the database was lost before anything was kept; the same again may do
   |- DiskFull      503 disk_full        the disk has no room for changes; reading works
   `- NewerSchema   503 newer_schema     the database was written by a newer version
"""

from __future__ import annotations

from typing import Any

from appliance.kit.errors import ApplianceError


class ServerError(ApplianceError):
    """`code` is stable, for programs; `message` is one sentence, for people; `details` are facts, for programs."""

    code = "error"
    status = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details


class Invalid(ServerError):
    code = "invalid"
    status = 400


class Unauthenticated(ServerError):
    code = "unauthenticated"
    status = 401


class Forbidden(ServerError):
    code = "forbidden"
    status = 403


class NotFound(ServerError):
    code = "not_found"
    status = 404


class Conflict(ServerError):
    code = "conflict"
    status = 409


class StaleAttempt(Conflict):
    code = "stale_attempt"


class LostLease(ServerError):
    code = "lost_lease"
    status = 409


class SequenceGap(Conflict):
    code = "sequence_gap"


class TooManyRequests(ServerError):
    code = "too_many_requests"
    status = 429


class Unavailable(ServerError):
    code = "unavailable"
    status = 503


class SetupRequired(Unavailable):
    code = "setup_required"


class Contended(Unavailable):
    code = "contended"


class Interrupted(Unavailable):
    code = "interrupted"


class MustWait(Unavailable):
    """Another writes to SQLite just now, and the caller had asked not to wait; nothing has begun."""


class DiskFull(Unavailable):
    code = "disk_full"


class NewerSchema(Unavailable):
    code = "newer_schema"
