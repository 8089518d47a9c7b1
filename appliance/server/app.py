"""The app: its routes, the gate around them, the handlers' dependencies, startup and shutdown. Wiring only."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.middleware import DefineMiddleware

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions import presence
from appliance.server.api import (
    PREFIX,
    admin,
    agents,
    answers,
    artifacts,
    automations,
    bundles,
    concurrency,
    events,
    flow_runs,
    flows,
    jobs,
    kept_results,
    known_failures,
    logs,
    maintenance,
    openapi,
    projects,
    saved_views,
    schedules,
    secrets,
    system,
    turns,
)
from appliance.server.api import run_protocol as runs
from appliance.server.api.gate import Gate, check_every_route
from appliance.server.api.query_parameters import QueryCheck
from appliance.server.auth.password_workers import PasswordWorkers
from appliance.server.auth.throttle import LoginThrottle
from appliance.server.db.session import Database
from appliance.server.errors import ServerError
from appliance.server.events.broadcast import Broadcast
from appliance.server.events.feed import Feed
from appliance.server.graphql import handler as graphql
from appliance.server.web import docs, health, metrics, simple_index, ui
from appliance.server.web.edge import App
from appliance.server.web.hosts import HostCheck
from appliance.server.web.wheels import Wheels

BODY_LIMIT = 1024 * 1024


def create_app(settings: Settings, database: Database) -> Litestar:
    """The whole server on a migrated database. Raises RuntimeError if a route declares no permission."""
    collector = metrics.Metrics(database, settings.disk_budget_bytes)
    broadcast, stopping, turn_queue = Broadcast(database, presence.beat), asyncio.Event(), turns.Turns(database)
    password_workers, endpoint = PasswordWorkers(), graphql.Later(settings.graphql_introspection)
    dependencies = {
        "database": database,
        "settings": settings,
        "broadcast": broadcast,
        "feed": Feed(broadcast, lambda ids: endpoint.get().run_rows(database, settings, ids)),
        "stopping": stopping,
        "throttle": LoginThrottle(),
        "password_workers": password_workers,
        "endpoint": endpoint,
    }
    app = App(
        route_handlers=[
            *_api(),
            *kept_results.routers(database),
            *artifacts.routers(database),
            graphql.graphql,
            health.healthz,
            health.readyz,
            metrics.handler(collector, settings.metrics_public, settings.metrics_networks),
            docs.router(),
            simple_index.router(Wheels(settings.wheel_folders), settings.wheels_public),
            ui.router(opened=endpoint.begin),
        ],
        dependencies={
            **{name: Provide(_always(value), sync_to_thread=False) for name, value in dependencies.items()},
            "actor": Provide(_actor, sync_to_thread=False),
        },
        middleware=[
            DefineMiddleware(_Clock),
            DefineMiddleware(HostCheck, hosts=settings.public_hosts),
            DefineMiddleware(Gate, database=database),
            QueryCheck,
        ],
        before_send=[answers.add_headers, collector.observe],
        exception_handlers={
            ServerError: answers.answer_server_error,
            MethodNotAllowedException: _answer_wrong_method,
            HTTPException: answers.answer_framework_error,
            Exception: answers.answer_unexpected_error,
        },
        lifespan=[partial(_life, broadcast, stopping, [turn_queue.close, password_workers.close])],
        request_max_body_size=BODY_LIMIT,
        openapi_config=None,
        logging_config=None,
    )
    app.trusted_proxies = settings.proxies
    app.state["database"], app.state["turns"] = database, turn_queue
    check_every_route(app)
    return app


def _answer_wrong_method(request: Request[Any, Any, Any], error: HTTPException) -> Any:
    """405, or 404 where there is nothing: the UI's route, which answers GET at any address, would make it 405 everywhere."""
    path = request.scope["path"].rstrip("/")
    is_known = (
        path.startswith(("/api/", "/docs", "/simple"))
        or ui.is_page(path)
        or any(path == it.path for it in request.app.routes)
    )
    return answers.answer_framework_error(request, error if is_known else NotFoundException())


def _api() -> list[Router]:
    return [
        system.router,
        projects.router,
        flows.router,
        flow_runs.router,
        runs.router,
        agents.router,
        schedules.router,
        concurrency.router,
        secrets.router,
        known_failures.router,
        saved_views.router,
        automations.router,
        bundles.router,
        logs.router,
        jobs.router,
        maintenance.router,
        admin.router,
        Router(PREFIX, route_handlers=[events.stream, openapi.show]),
    ]


class _Clock:
    """Records when a request began and assigns its id, before anything can reject it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["started"] = clock.monotonic()
        answers.request_id(scope)
        await self._app(scope, receive, send)


def _always(value: Any) -> Callable[[], Any]:
    def provide() -> Any:
        return value

    return provide


def _actor(request: Request[Any, Any, Any]) -> Any:
    return request.user


@asynccontextmanager
async def _life(
    broadcast: Broadcast,
    stopping: asyncio.Event,
    closes: list[Callable[[], None]],
    app: Litestar,
) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    broadcast.start(loop)

    def stop() -> None:
        stopping.set()
        broadcast.stop()  # ends streams and wakes long-polls

    app.state["stop"] = lambda: loop.call_soon_threadsafe(stop)
    restore = _on_signals(app.state["stop"])
    try:
        yield
    finally:
        restore()
        stopping.set()
        broadcast.stop()
        for close in closes:
            close()
        app.state["database"].dispose()


def _on_signals(act: Callable[[], object]) -> Callable[[], None]:
    """Act on SIGTERM and SIGINT before the web server's own handler: it waits for open streams, which must be closed first."""
    handlers: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        act()
        handlers[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if callable(handler):
            try:
                signal.signal(number, handle)
            except ValueError:  # not the main thread, as in tests: the code that started the app also stops it
                break
            handlers[number] = handler

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    return restore
