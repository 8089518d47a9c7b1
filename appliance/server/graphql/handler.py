"""POST /graphql: the caller is authenticated before anything is parsed. Everything then runs in one worker thread.

The schema and what executes it are a seventh of what the server loads, and only the web UI uses it: a single worker loads them when somebody
opens that for the first time.
"""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, post

from appliance.config import Settings
from appliance.kit.documents import JsonDocument
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.graphql.body import MAX_BODY, Body, decode

if TYPE_CHECKING:
    from appliance.server.graphql.endpoint import Endpoint


class Later:
    """The endpoint: loaded by whoever needs it first, and kept."""

    def __init__(self, introspection: bool) -> None:
        self._introspection = introspection
        self._lock = threading.Lock()
        self._endpoint: Endpoint | None = None
        self._has_begun = False

    def get(self) -> Endpoint:
        """Raises RuntimeError if a field declares no permission."""
        with self._lock:
            if self._endpoint is None:
                from appliance.server.graphql import endpoint, schema

                self._endpoint = endpoint.Endpoint(schema.build(), self._introspection)
                gc.collect()
                gc.freeze()  # what is left, stays; see asgi.rest_collector
            return self._endpoint

    def begin(self) -> None:
        """Load it in a thread, the first time."""
        if self._has_begun:
            return
        self._has_begun = True
        threading.Thread(target=self.get, name="graphql", daemon=True).start()


@post(
    "/graphql",
    opt={"permission": Permission.SELF, "body": Body},
    status_code=200,
    request_max_body_size=MAX_BODY,
    sync_to_thread=True,
)
def graphql(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    endpoint: Later,
    actor: Actor,
    body: bytes,
) -> Response[JsonDocument]:
    """Run a GraphQL query or mutation."""
    state, document = request.scope["state"], decode(body)
    if "mutation" in document.query:
        state["uncompressed"] = True  # mutations may give out credentials
    answer = endpoint.get().answer(database, settings, actor, document, str(state.get("request_id", "")))
    return Response(answer, media_type="application/json")
