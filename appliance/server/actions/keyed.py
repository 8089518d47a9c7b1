"""A key stands for one request: caller, verb, target and payload. Sent again, the request is answered and has no second effect."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from types import SimpleNamespace
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, get_type_hints

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.server.actions.names import idempotency_key
from appliance.server.actions.requests import Payload, payload_of
from appliance.server.auth import passwords
from appliance.server.auth.identity import Actor
from appliance.server.db.joined import Joined
from appliance.server.db.reads import request_keys as reads
from appliance.server.db.retries import retried
from appliance.server.db.rows.request_keys import Remembered
from appliance.server.db.rows.row_type import RowType
from appliance.server.db.session import Database
from appliance.server.db.writes import request_keys as writes
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Contended, Invalid, KeyReused

P = ParamSpec("P")
R = TypeVar("R")
Action = Callable[Concatenate[Database, Actor, P], R]


@dataclass(frozen=True)
class _Request:
    """One request under a key."""

    id: str
    caller: str
    verb: str
    payload: Payload

    def matches(self, known: Remembered) -> bool:
        """Whether the key was used for the same request."""
        digest, _, hashed = known.fingerprint.partition(" ")
        secret = self.payload.secret
        return digest == self.payload.digest and (secret is None or passwords.verify(hashed, secret))

    def fingerprint(self) -> str:
        """What is stored of the request. Of a password in it, only a slow hash."""
        secret = self.payload.secret
        return self.payload.digest if secret is None else f"{self.payload.digest} {passwords.hash_password(secret)}"


def keyed(
    verb: str, *, beside: Collection[str] = (), keep: Callable[[Any], Any] | None = None
) -> Callable[[Action[P, R]], Action[P, R]]:
    """An action of one transaction, retried like any, that is done once per key: its key, its effect and its answer are committed
    together. Its arguments are the request, but for those `beside` it. `keep` turns a result into the part of it that is stored."""

    def decorate(action: Action[P, R]) -> Action[P, R]:
        signature = inspect.signature(action)

        @wraps(action)
        @retried
        def once(db: Database, actor: Actor, /, *arguments: P.args, **options: P.kwargs) -> R:
            request = _request(verb, signature, beside, db, actor, arguments, options)
            if request is None:
                return action(db, actor, *arguments, **options)
            fingerprint = request.fingerprint()
            with db.write("keyed") as session:
                if not _claim(session, request, fingerprint):
                    return _answer(session, request, action)
                joined = Joined(db, session)
                result = action(joined, actor, *arguments, **options)
                writes.answer(session, request.id, _stored(result, keep))
            joined.committed()
            return result

        return once

    return decorate


def recorded(verb: str, *, beside: Collection[str] = ()) -> Callable[[Action[P, R]], Action[P, R]]:
    """An action of many transactions that may be done again when it was cut off. Its key and its answer are stored when it has ended."""

    def decorate(action: Action[P, R]) -> Action[P, R]:
        signature = inspect.signature(action)

        @wraps(action)
        def once(db: Database, actor: Actor, /, *arguments: P.args, **options: P.kwargs) -> R:
            request = _request(verb, signature, beside, db, actor, arguments, options)
            if request is None:
                return action(db, actor, *arguments, **options)
            with db.read() as session:
                if reads.get(session, request.id) is not None:
                    return _answer(session, request, action)
            result = action(db, actor, *arguments, **options)
            with db.write("recorded", essential=True) as session:
                if _claim(session, request, request.fingerprint()):
                    writes.answer(session, request.id, _stored(result, None))
            return result

        return once

    return decorate


def _request(
    verb: str,
    signature: inspect.Signature,
    beside: Collection[str],
    db: Database,
    actor: Actor,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> _Request | None:
    """The request under its key; None without a key, and inside a request that has claimed it."""
    if isinstance(db, Joined):
        return None
    values = dict(signature.bind(db, actor, *arguments, **options).arguments)
    for name in (*list(signature.parameters)[:2], "now", *beside):
        values.pop(name, None)
    payload = payload_of(verb, values)
    key = idempotency_key(_key(actor.key, payload.key))
    if key is None:
        return None
    caller = f"{actor.kind} {actor.flow_run_id or actor.agent_id or actor.user_id or actor.name}"
    return _Request(ids.sha256(f"{caller}\n{key}"), clean(caller, 200), verb, payload)


def _key(sent: str | None, named: str | None) -> str | None:
    if sent is not None and named is not None and sent != named:
        raise Invalid("The header Idempotency-Key and the field idempotency_key differ; send one of them.")
    return named if sent is None else sent


def _claim(session: Session, request: _Request, fingerprint: str, now: datetime | None = None) -> bool:
    return writes.claim(
        session,
        {
            "id": request.id,
            "caller": request.caller,
            "verb": request.verb,
            "fingerprint": fingerprint,
            "answer": "",
            "at": now or clock.now(),
        },
    )


def _answer(session: Session, request: _Request, action: Callable[..., R]) -> R:
    """The result that the request had the first time."""
    known = reads.get(session, request.id)
    if known is None:  # forgotten just now
        raise Contended("The idempotency key expired just now; send the request again.")
    if not request.matches(known):
        raise KeyReused(
            "This idempotency key was used for another request; a key stands for one request, so use a new one."
        )
    hint = get_type_hints(action)["return"]
    value = msgspec.json.decode(known.answer)
    if hasattr(hint, "model_validate"):  # a mapped object
        return hint.model_validate(value)  # type: ignore[no-any-return]
    if isinstance(hint, type) and issubclass(hint, RowType):
        types = get_type_hints(hint)
        return cast(R, SimpleNamespace(**{name: msgspec.convert(one, types[name]) for name, one in value.items()}))
    return msgspec.convert(value, hint)  # type: ignore[no-any-return]


def _stored(result: Any, keep: Callable[[Any], Any] | None) -> str:
    value = result if keep is None else keep(result)
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    elif hasattr(value, "_asdict") and not isinstance(value, tuple):
        value = value._asdict()
    return msgspec.json.encode(value).decode()
