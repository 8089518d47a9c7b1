"""The server's errors: one tree. Each error has everything that REST and GraphQL need for their response.

ServerError
|- Invalid          400 invalid          the request can't be used as it is
|  `- ClosedFolder  400 closed_folder    no agent takes code from this folder; `details` name it
|- Unauthenticated  401 unauthenticated  no credential, or an invalid one
|- Forbidden        403 forbidden        the caller is known but lacks the permission
|  |- Undeclared    403 undeclared       the run's flow doesn't declare the secret that it asks for
|  |- WrongPassword 403 wrong_password   the current password, which a change of it needs, is another one
|  `- MustChangePassword 403 must_change_password  the session is good for nothing else until the password is changed
|- NotFound         404 not_found
|  `- NoSecret       404 no_secret        the run's project has no secret of this name
|- UnknownName      422 unknown_name     a filter or a query parameter names something that doesn't exist
|- Conflict         409 conflict         the object's state doesn't allow this, or it has just changed
|  |- KeyReused     409 key_reused       the idempotency key stands for another request
|  |- QuotaReached  409 quota_reached    there are as many of something as a setting allows; `details` name it
|  |- Renamed       409 renamed          a flow or project was renamed from the name that is to be registered
|  |- StaleAttempt  409 stale_attempt    the attempt was replaced or has ended
|  `- SequenceGap   409 sequence_gap     an earlier numbered batch is missing
|- ClientGone       499 client_gone      the client went away before its request was complete; only logs and metrics show it
|- DamagedRow       409 damaged          a row that this needs holds a value that can't be read
|- TooManyRequests  429 too_many_requests  slow down; `details` say for how long
`- Unavailable      503 unavailable      try again later
   |- SetupRequired 503 setup_required   nobody has set up this appliance yet
   |- Contended     503 contended        the change collided with another and was rolled back; send it again
   |- Interrupted   503 interrupted      the connection was lost before anything was committed; send it again
   |- TooSlow       503 too_slow         a read took longer than a request may; ask for less
   |- DiskFull      503 disk_full        the disk has no room for changes; reading works
   |- Damaged       503 database_damaged  the database's files are damaged or don't belong together
   `- NewerSchema   503 newer_schema     a newer version has written the database
"""

from __future__ import annotations

from typing import Any

from appliance.kit.errors import ApplianceError
from appliance.kit.printable import LONGEST_SENTENCE, sentence

_MOST_DETAILS = 1_500


class ServerError(ApplianceError):
    """`code` is stable, for programs; `message` is one sentence, for people; `details` are facts, for programs. Both
    are cut to a length: they may quote what the caller sent."""

    code = "error"
    status = 500

    def __init__(self, message: str, **details: Any) -> None:
        self.message = sentence(message)
        super().__init__(self.message)
        self.details: dict[str, Any] = bounded(details)


def bounded(document: Any, most: int = _MOST_DETAILS) -> Any:
    """The document with about `most` characters of text, and no more than 50 items in a list or an object."""
    left = most

    def cut(value: Any) -> Any:
        nonlocal left
        if isinstance(value, str):
            text = sentence(value, min(LONGEST_SENTENCE, left))
            left = max(16, left - len(text))
            return text
        if isinstance(value, dict):
            return {cut(key): cut(item) for key, item in list(value.items())[:50]}
        return [cut(item) for item in value[:50]] if isinstance(value, list | tuple) else value

    return cut(document)


class Invalid(ServerError):
    code = "invalid"
    status = 400


class ClosedFolder(Invalid):
    code = "closed_folder"


class NewerClient(Invalid):
    code = "newer_client"


class Unauthenticated(ServerError):
    code = "unauthenticated"
    status = 401


class Forbidden(ServerError):
    code = "forbidden"
    status = 403


class Undeclared(Forbidden):
    code = "undeclared"


class WrongPassword(Forbidden):
    code = "wrong_password"


class MustChangePassword(Forbidden):
    code = "must_change_password"


class NotFound(ServerError):
    code = "not_found"
    status = 404


class NoSecret(NotFound):
    code = "no_secret"


class NoResult(NotFound):
    code = "no_result"


class NoArtifact(NotFound):
    code = "no_artifact"


class UnknownName(ServerError):
    code = "unknown_name"
    status = 422


class Conflict(ServerError):
    code = "conflict"
    status = 409


class KeyReused(Conflict):
    code = "key_reused"


class QuotaReached(Conflict):
    code = "quota_reached"


class ResultsDoorClosed(Conflict):
    code = "results_door_closed"


class Renamed(Conflict):
    code = "renamed"


class StaleAttempt(Conflict):
    code = "stale_attempt"


class LostLease(ServerError):
    code = "lost_lease"
    status = 409


class SequenceGap(Conflict):
    code = "sequence_gap"


class ClientGone(ServerError):
    code = "client_gone"
    status = 499


class DamagedRow(ServerError):
    code = "damaged"
    status = 409


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
    """Another writer holds SQLite's lock, and the caller chose not to wait. Nothing has been done."""


class TooSlow(Unavailable):
    code = "too_slow"


class DiskFull(Unavailable):
    code = "disk_full"


class NoSecretKey(Unavailable):
    code = "no_secret_key"


class Damaged(Unavailable):
    code = "database_damaged"


class NewerSchema(Unavailable):
    code = "newer_schema"
