"""Users and API tokens."""

from __future__ import annotations

from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.message import Page
from appliance.protocol.tokens import CreateToken, RotateToken, TokenCreated, TokenView
from appliance.protocol.users import ChangePassword, CreateUser, EditUser, Me, SessionView, SetPassword, UserView


def me(transport: Transport) -> Me:
    """The user whose token this is."""
    return transport.get(path("me"), Me)


def users(transport: Transport) -> list[UserView]:
    """All users."""
    return wire.items(transport.get(path("users"), Page), UserView)


def create_user(transport: Transport, request: CreateUser) -> UserView:
    """Create a user."""
    return transport.change("POST", path("users"), request, UserView)


def change_password(transport: Transport, request: ChangePassword) -> Me:
    """Change the password of the user whose token this is."""
    return transport.change("POST", path("password"), request, Me)


def set_password(transport: Transport, user_id: UUID, request: SetPassword) -> UserView:
    """Set another user's password."""
    return transport.change("PUT", path("users", user_id, "password"), request, UserView)


def edit_user(transport: Transport, user_id: UUID, request: EditUser) -> UserView:
    """Change a user's role, or disable or enable them."""
    return transport.change("PATCH", path("users", user_id), request, UserView)


def delete_user(transport: Transport, user_id: UUID) -> None:
    """Delete a user with their sessions and tokens."""
    transport.remove(path("users", user_id))


def sessions(transport: Transport, user_id: UUID | None = None) -> list[SessionView]:
    """The browsers in which a user is signed in, or the caller."""
    where = path("sessions") if user_id is None else path("users", user_id, "sessions")
    return wire.items(transport.get(where, Page), SessionView)


def end_sessions(transport: Transport, user_id: UUID) -> None:
    """Sign a user out of every browser."""
    transport.remove(path("users", user_id, "sessions"))


def end_session(transport: Transport, session_id: UUID) -> None:
    """Sign the caller out of one browser."""
    transport.remove(path("sessions", session_id))


def tokens(transport: Transport) -> list[TokenView]:
    """All tokens that the caller may see, without their secrets."""
    return wire.items(transport.get(path("tokens"), Page), TokenView)


def create_token(transport: Transport, request: CreateToken) -> TokenCreated:
    """Create a token. Only this answer contains its secret."""
    return transport.change("POST", path("tokens"), request, TokenCreated)


def rotate_token(transport: Transport, token_id: UUID, request: RotateToken) -> TokenCreated:
    """Replace a token by a new one. Only this answer contains its secret."""
    return transport.change("POST", path("tokens", token_id, "rotate"), request, TokenCreated)


def delete_token(transport: Transport, token_id: UUID) -> None:
    """Revoke a token immediately."""
    transport.remove(path("tokens", token_id))
