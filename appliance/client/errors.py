"""The errors that talking to a server can raise. Every message says what to do next.

ClientError
├─ Outage                    the server could not be asked: wait, then try again
│  ├─ Unreachable            no answer at all: the network, the address, or a server that is down
│  │  └─ Untrusted           its certificate or its TLS is not accepted, so that nothing was sent
│  └─ BadAnswer              an answer, but not from an appliance (from a proxy, say) or not from a version that we know
└─ Refused                   the server itself refused the request: `code` is for programs, `message` for people
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


class Outage(ClientError):
    """The server could not be asked, so nothing is known about the request. Wait, then try again."""


class Unreachable(Outage):
    """The server did not answer."""

    def __init__(self, url: str, reason: str = "") -> None:
        detail = f" ({reason})" if reason else ""
        super().__init__(f"The server at {url} can't be reached{detail}; is it running? Check APPLIANCE_URL.")
        self.url = url


class Untrusted(Unreachable):
    """The certificate of the server, or its TLS, is not accepted. Nothing was sent to it."""

    def __init__(self, url: str, reason: str) -> None:
        ClientError.__init__(self, f"The server at {url} is not trusted: {reason}.")
        self.url = url


class BadAnswer(Outage):
    """The answer doesn't come from an appliance, or comes from a version that this client doesn't know."""

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.reason = reason


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
    """The server can't answer right now."""


class SetupRequired(Unavailable):
    """Nobody has set up the appliance yet."""


PASSING = (Outage, Unavailable, TooManyRequests)
"""What passes on its own: the same request may succeed a moment later."""

_BY_CODE: dict[str, type[Refused]] = {
    "invalid": Invalid,
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "conflict": Conflict,
    "stale_attempt": StaleAttempt,
    "sequence_gap": SequenceGap,
    "too_many_requests": TooManyRequests,
    "internal": ServerFault,
    "unavailable": Unavailable,
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


def refusal(
    code: str, status: int, message: str, request_id: str = "", details: dict[str, Any] | None = None
) -> Refused:
    """The error class that matches a refusal of the server."""
    default = ServerFault if status >= 500 else Refused
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, default)
    return kind(code, status, message, request_id, details)
