"""Asks the server for a secret that the flow of a run declares, and waits while the server can't be reached."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from appliance.agents.patience import PASSING, PATIENCE, Stopping
from appliance.client import run_protocol as runs
from appliance.client.errors import ClientError, Refused
from appliance.client.transport import Transport
from appliance.core.errors import SecretError
from appliance.kit import clock
from appliance.kit.backoff import delays


def asker(transport: Transport, flow_run_id: UUID, attempt: int, stopping: Stopping) -> Callable[[str], str]:
    """A function that returns the value of a secret, or raises SecretError with the reason why there is none."""

    def ask(name: str) -> str:
        deadline, pauses = clock.monotonic() + PATIENCE, delays(0.1, 5.0)
        while stopping.reason is None:
            try:
                return runs.secret(transport, flow_run_id, attempt, name)
            except PASSING as error:
                if clock.monotonic() > deadline or _needs_a_person(error):
                    raise SecretError(str(error)) from None
                stopping.wait(next(pauses))
            except ClientError as error:
                raise SecretError(str(error)) from None
        raise SecretError(f"The run must stop: {stopping.reason}")

    return ask


def _needs_a_person(error: ClientError) -> bool:
    """Waiting is in vain where the server's key is missing."""
    return isinstance(error, Refused) and error.code == "no_secret_key"
