"""REST: the site store. Those who register flows ask and upload, administrators list, and only runs download."""

from __future__ import annotations

from litestar import Router, get, post, put

from appliance.protocol.bundles import MOST_BYTES, AskBundle, BundleOffer, BundleView, PutBundle
from appliance.protocol.message import Page
from appliance.server.actions import bundles as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import bundles, pages
from appliance.server.db.rows.bundles import BundleRow
from appliance.server.db.session import Database

BODY_LIMIT = MOST_BYTES * 4 // 3 + 64 * 1024
"""Of the bytes in base64, and the rest of the message."""


@get("/bundles", opt={"permission": Permission.READ_BUNDLES, "items": BundleView}, sync_to_thread=True)
def index(database: Database, limit: int | None = None, after: str | None = None) -> Page:
    """List bundles of code, newest first, without their bytes."""
    with database.read() as session:
        page = bundles.page(session, pages.size(limit), after)
        return Page(items=[view(row) for row in page.rows], next=page.next)


@post(
    "/bundles/ask",
    opt={"permission": Permission.REGISTER_FLOW, "body": AskBundle},
    status_code=200,
    sync_to_thread=True,
)
def ask(database: Database, actor: Actor, body: bytes) -> BundleOffer:
    """Ask whether the server keeps code, and has this bundle."""
    return actions.ask(database, actor, decode(body, AskBundle))


@put(
    "/bundles",
    opt={"permission": Permission.REGISTER_FLOW, "body": PutBundle},
    request_max_body_size=BODY_LIMIT,
    sync_to_thread=True,
)
def put_bundle(database: Database, actor: Actor, body: bytes) -> BundleOffer:
    """Store a bundle. The same content again changes nothing."""
    return actions.put(database, actor, decode(body, PutBundle))


def view(row: BundleRow) -> BundleView:
    """A bundle, for people."""
    return BundleView(
        id=row.id,
        project=row.project,
        digest=row.digest,
        size=row.size,
        sealed=row.sealed,
        key_id=row.key_id,
        created=row.created,
        created_by=row.created_by,
        used=row.used,
        versions=row.versions,
    )


router = Router(PREFIX, route_handlers=[index, ask, put_bundle])
