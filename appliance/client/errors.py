"""The errors that talking to a server can raise. Every message says what to do next.

ClientError
├─ Unreachable               no answer at all: the network, the address, or a server that is down
├─ BadAnswer                 an answer, but not from an appliance or not from a version that we know
└─ Refused                   the server refused the request: `code` is for programs, `message` for people
   ├─ Invalid                400, 413, 422
   ├─ Unauthenticated        401
   ├─ Forbidden              403
   ├─ NotFound               404
   ├─ Conflict               409
   │  ├─ StaleAttempt        another attempt of the run has taken over
   │  └─ SequenceGap         an earlier batch of reports is missing on the server
   ├─ TooManyRequests        429
   ├─ ServerFault            500
   └─ Unavailable            502, 503, 504
      └─ SetupRequired       nobody has set up the appliance yet
"""

from __future__ import annotations

from typing import Any

from appliance.kit.errors import ApplianceError


class ClientError(ApplianceError):
    """The root of all errors that talking to a server raises."""


class Unreachable(ClientError):
    """The server did not answer."""

    def __init__(self, url: str, reason: str = "") -> None:
        detail = f" ({reason})" if reason else ""
        super().__init__(f"The server at {url} can't be reached{detail}; is it running? Check APPLIANCE_URL.")
        self.url = url


class BadAnswer(ClientError):
    """The answer doesn't come from an appliance, or comes from a version that this client doesn't know."""


class Refused(ClientError):
    """The server refused the request and gave a reason."""

    def __init__(
        self, code: str, status: int, message: str, request_id: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.request_id = request_id
        self.details = details or {}


class Invalid(Refused):
    """The request itself is invalid."""


class Unauthenticated(Refused):
    """The token is missing, wrong, expired, or revoked."""


class Forbidden(Refused):
    """The token is valid but doesn't permit this."""


class NotFound(Refused):
    """The object doesn't exist."""


class Conflict(Refused):
    """The object's state doesn't allow this."""


class StaleAttempt(Conflict):
    """Another attempt of the run has taken over; this one must stop."""


class SequenceGap(Conflict):
    """An earlier batch of reports is missing on the server."""


class TooManyRequests(Refused):
    """Too many requests in a short time."""


class ServerFault(Refused):
    """A fault inside the server."""


class Unavailable(Refused):
    """The server, or a proxy in front of it, can't answer right now."""


class SetupRequired(Unavailable):
    """Nobody has set up the appliance yet."""


_BY_CODE: dict[str, type[Refused]] = {
    "stale_attempt": StaleAttempt,
    "sequence_gap": SequenceGap,
    "setup_required": SetupRequired,
}
_BY_STATUS: dict[int, type[Refused]] = {
    **dict.fromkeys((400, 413, 422), Invalid),
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    **dict.fromkeys((502, 503, 504), Unavailable),
}
_SENTENCES = {
    401: "The token was not accepted; check APPLIANCE_TOKEN.",
    403: "The token doesn't permit this; use the token of a user with a higher role.",
    404: "The server doesn't know this address or id; check the id and APPLIANCE_URL.",
    413: "The request is too large for the server; send less in one request.",
    429: "The server receives too many requests; try again in a moment.",
}


def refusal(
    code: str, status: int, message: str, request_id: str = "", details: dict[str, Any] | None = None
) -> Refused:
    """The error class that matches a refusal. A refusal without a message gets a default one."""
    default = ServerFault if status >= 500 else Refused
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, default)
    if not message:
        message = _SENTENCES.get(status, f"The server answered with status {status}; check its log.")
    return kind(code or f"http_{status}", status, message, request_id, details)
