"""What talking to a server can raise. Every message is one sentence that says what to do next.

ClientError
├─ Unreachable               no answer at all: the network, the address, or a server that is down
├─ BadAnswer                 something answered, but not an appliance of a version we know
└─ Refused                   the server's own refusal: `code` for programs, `message` for people
   ├─ Invalid                400, 413, 422
   ├─ Unauthenticated        401
   ├─ Forbidden              403
   ├─ NotFound               404
   ├─ Conflict               409
   │  ├─ StaleAttempt        another attempt of the run has taken over
   │  └─ SequenceGap         the server lacks an earlier batch of reports
   ├─ TooManyRequests        429
   ├─ ServerFault            500
   └─ Unavailable            502, 503, 504
      └─ SetupRequired       nobody has set the appliance up yet
"""

from __future__ import annotations

from typing import Any

from appliance.kit.errors import ApplianceError


class ClientError(ApplianceError):
    """The root of everything that talking to a server raises."""


class Unreachable(ClientError):
    """The server gave no answer."""

    def __init__(self, url: str, reason: str = "") -> None:
        detail = f" ({reason})" if reason else ""
        super().__init__(f"The server at {url} can't be reached{detail}; is it running? Check APPLIANCE_URL.")
        self.url = url


class BadAnswer(ClientError):
    """What answered is no appliance, or one of a version that this client does not know."""


class Refused(ClientError):
    """The server refused the request and said why."""

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
    """The request itself is wrong."""


class Unauthenticated(Refused):
    """No token, or one that is not valid (any more)."""


class Forbidden(Refused):
    """The token is valid but may not do this."""


class NotFound(Refused):
    """There is no such thing."""


class Conflict(Refused):
    """The thing is not in a state that allows this."""


class StaleAttempt(Conflict):
    """Another attempt of the run has taken over; this one has to stop."""


class SequenceGap(Conflict):
    """The server lacks an earlier batch of reports."""


class TooManyRequests(Refused):
    """Asked too often."""


class ServerFault(Refused):
    """A fault inside the server."""


class Unavailable(Refused):
    """The server, or a proxy before it, can't answer just now."""


class SetupRequired(Unavailable):
    """Nobody has set the appliance up yet."""


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
    403: "The token does not allow this; use one of a user with more rights.",
    404: "The server does not know this; check the address in APPLIANCE_URL and the id.",
    413: "The request is too large for the server; send less at once.",
    429: "The server is asked too often; try again in a moment.",
}


def refusal(
    code: str, status: int, message: str, request_id: str = "", details: dict[str, Any] | None = None
) -> Refused:
    """The error of the tree above that fits a refusal; a refusal without words gets a sentence."""
    default = ServerFault if status >= 500 else Refused
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, default)
    if not message:
        message = _SENTENCES.get(status, f"The server answered with status {status}; look into its log.")
    return kind(code or f"http_{status}", status, message, request_id, details)
