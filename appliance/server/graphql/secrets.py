"""Queries and mutations about secrets of projects. None returns a value."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from sqlalchemy.orm import Session

from appliance.protocol.secrets import PutSecret
from appliance.server.actions import secrets
from appliance.server.auth.guards import Permission
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import pages
from appliance.server.db.reads import secrets as reads
from appliance.server.db.rows.secrets import SecretRow
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.types import secrets as types
from appliance.server.graphql.types.secrets import Secret, SecretPage


@strawberry.type
class SecretQueries:
    @root_field(Permission.READ_SECRETS)
    def secrets(
        self, info: Info, project: str | None = None, first: int | None = None, after: str | None = None
    ) -> SecretPage:
        session = info.context.session()
        page = reads.page(session, pages.size(first), after, project)
        return SecretPage(items=_secrets(session, page.rows), next=page.next)


@strawberry.type
class SecretMutations:
    @root_mutation(Permission.EDIT_SECRET)
    def set_secret(self, info: Info, input: types.SetSecretInput) -> types.SetSecretPayload:
        context = info.context
        request = message(PutSecret, project=input.project, name=input.name, value=input.value)
        keys = SecretKeys(context.settings.secrets_key_path)
        secret_id = secrets.put(context.database, context.actor, keys, request)
        context.changed()
        row = reads.one(context.session(), secret_id)
        if row is None:
            raise NotFound("There is no such secret; it may have been deleted.")
        return types.SetSecretPayload(secret=_secrets(context.session(), [row])[0])

    @root_mutation(Permission.EDIT_SECRET)
    def delete_secret(self, info: Info, input: types.DeleteSecretInput) -> types.DeleteSecretPayload:
        secrets.remove(info.context.database, info.context.actor, input.secret_id)
        info.context.changed()
        return types.DeleteSecretPayload(secret_id=input.secret_id)


def _secrets(session: Session, rows: Sequence[SecretRow]) -> list[Secret]:
    users, totals = reads.users(session, [row.id for row in rows])
    return [types.secret(row, users[row.id], totals[row.id]) for row in rows]
