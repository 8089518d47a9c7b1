"""Routes whose caller is admitted in the thread that then does the work. Where a request costs a millisecond, going to a thread twice
is a tenth of it. Only `post` below makes such routes, so none can come into being that asks nobody in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from litestar import Request
from litestar import post as ordinary_post
from litestar.handlers import HTTPRouteHandler
from litestar.types import Empty
from litestar.types.empty import EmptyType

from appliance.server.auth.guards import Permission

ADMIT = "appliance_admit"
"""Under this name the gate leaves in the state of a request's scope what admits its caller."""
IN_ONE_TURN = "in_one_turn"


def post(
    path: str,
    *,
    permission: Permission,
    body: type,
    status_code: int,
    request_max_body_size: int | EmptyType = Empty,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Litestar's `post` for a function that runs in a thread; it is called only when the caller was let in."""

    def decorate(work: Callable[..., Any]) -> HTTPRouteHandler:
        return ordinary_post(
            path,
            opt={"permission": permission, "body": body, IN_ONE_TURN: True},
            status_code=status_code,
            request_max_body_size=request_max_body_size,
            sync_to_thread=True,
        )(_admitted(work))

    return decorate


def _admitted(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def admitted(request: Request[Any, Any, Any], **given: Any) -> Any:
        request.scope["state"].pop(ADMIT)()
        return work(request, **given)

    return admitted
