"""State handlers that send messages: `Flow("etl", on_failure=notify.slack())`, `@task(state_handlers=[notify.syslog()])`.

A notifier is a state handler and an `on_failure` alike, of flows and of tasks. It sends once, from the run's own process: if that process
crashes or the receiver is away, the message is lost and the run goes on. What must arrive is the work of the server's automations.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from appliance.core import masking, retries
from appliance.core.context import context
from appliance.core.logs import get_logger
from appliance.core.secrets import Secret
from appliance.core.states import Failed, Finished, State
from appliance.core.task import Task
from appliance.kit import clock
from appliance.tasks.chat import MattermostTask, SlackTask, TeamsTask, WebhookTask
from appliance.tasks.email import EmailTask

if TYPE_CHECKING:
    from appliance.tasks.email import Addresses
    from appliance.tasks.http import Credentials

__all__ = [
    "Notifier",
    "callback_factory",
    "document_of",
    "email",
    "mattermost",
    "message_of",
    "prometheus",
    "slack",
    "syslog",
    "teams",
    "webhook",
]

PATIENCE = 10.0
"""Seconds for each part of an answer; the run waits meanwhile."""
Message = str | Mapping[str, Any]
States = type[State] | Iterable[type[State]]


class Options(TypedDict, total=False):
    """The options of every notifier."""

    only_states: States
    """The classes of states that call for a message; Failed by default."""
    ignore_states: States
    """Those among them that don't."""


class ChatOptions(Options, total=False):
    """The options of notifiers whose receivers take a text or a JSON object."""

    message: Callable[[Any, State], Message]
    """Makes the message from the flow or task and its state; `message_of` by default."""


class TextOptions(Options, total=False):
    """The options of notifiers whose receivers take a text."""

    message: Callable[[Any, State], str]
    """Makes the message from the flow or task and its state; `message_of` by default."""


class Notifier:
    """Sends a message when a flow or a task changes to one of some states. It never changes a state and never fails a run."""

    def __init__(
        self,
        send: Callable[[Any, State], object],
        only_states: States = Failed,
        ignore_states: States = (),
        secrets: Iterable[str] = (),
    ) -> None:
        """`send` is called with the flow or task and its new state, in which secrets are masked. `secrets` are those that it reads; the
        flow declares them. Raises TypeError for anything that is not a class of states."""
        if not callable(send):
            raise TypeError("send must be a function (flow or task, state).")
        self.send, self.secrets = send, tuple(secrets)
        self.only_states, self.ignore_states = (
            _classes("only_states", only_states),
            _classes("ignore_states", ignore_states),
        )

    def __call__(self, target: Any, *states: State) -> None:
        """As a state handler it gets the old state and the new one, as `on_failure` the new one."""
        new = states[-1]
        if not self._concerns(target, new):
            return
        try:
            self.send(target, masking.mask_state(new))
        except Exception as error:  # noqa: BLE001 - the run goes on, whatever becomes of the message
            reason = str(error) or type(error).__name__
            get_logger("notify").warning("The message that %s is %s was not sent: %s", target.name, new.name, reason)

    def _concerns(self, target: Any, state: State) -> bool:
        """A failure that another try follows doesn't call for a message."""
        if not isinstance(state, self.only_states) or isinstance(state, self.ignore_states):
            return False
        if not (isinstance(target, Task) and isinstance(state, Failed)):
            return True
        return not retries.is_due(target, context.get("task_run_count", 1), state)


def callback_factory(
    fn: Callable[[Any, State], object], check: Callable[[State], bool]
) -> Callable[[Any, State, State], State]:
    """A state handler that calls `fn` with the flow or task and its new state if `check` says so. What it raises fails the run, as in any handler."""

    def handler(target: Any, _old: State, new: State) -> State:
        if check(new):
            fn(target, new)
        return new

    return handler


def slack(webhook_secret: str = SlackTask.by_default, **options: Unpack[ChatOptions]) -> Notifier:
    """A message to Slack. `webhook_secret` names the secret with the address of the incoming webhook."""
    return _chat(SlackTask, webhook_secret, message_of, options)


def mattermost(webhook_secret: str = MattermostTask.by_default, **options: Unpack[ChatOptions]) -> Notifier:
    """A message to Mattermost. `webhook_secret` names the secret with the address of the incoming webhook."""
    return _chat(MattermostTask, webhook_secret, message_of, options)


def teams(webhook_secret: str = TeamsTask.by_default, **options: Unpack[ChatOptions]) -> Notifier:
    """A message to Teams. `webhook_secret` names the secret with the address of the workflow."""
    return _chat(TeamsTask, webhook_secret, message_of, options)


def webhook(webhook_secret: str = WebhookTask.by_default, **options: Unpack[ChatOptions]) -> Notifier:
    """JSON to the address in a secret: what `document_of` makes, unless `message` makes something else."""
    return _chat(WebhookTask, webhook_secret, document_of, options)


def email(
    email_to: Addresses,
    email_from: str,
    smtp_server: str,
    smtp_port: int | None = None,
    smtp_type: Literal["SSL", "STARTTLS", "INSECURE"] = "SSL",
    username: str | Secret | None = None,
    password: Secret | None = None,
    ca_file: str | Path | None = None,
    **options: Unpack[TextOptions],
) -> Notifier:
    """An e-mail; its subject is the first line of the message. Without a `password` it doesn't sign in."""
    make = options.pop("message", message_of)
    task = EmailTask(
        email_to=email_to,
        email_from=email_from,
        smtp_server=smtp_server,
        smtp_port=smtp_port,
        smtp_type=smtp_type,
        username=username,
        password=password,
        ca_file=ca_file,
    )

    def send(target: Any, state: State) -> None:
        text = make(target, state)
        task.run(subject=text.strip().partition("\n")[0], msg_plain=text)

    return Notifier(send, secrets=task.secrets, **_rest(options))


def syslog(address: str | tuple[str, int] = "/dev/log", **options: Unpack[TextOptions]) -> Notifier:
    """A line to syslog: `address` is a socket of this host, or a host and a port for UDP. Failures are errors, other states are info."""
    make = options.pop("message", message_of)

    def send(target: Any, state: State) -> None:
        line = " ".join(make(target, state).split())
        level = logging.ERROR if isinstance(state, Failed) else logging.INFO
        log = _Syslog(address)
        try:
            log.handle(logging.LogRecord("notify", level, "", 0, line, None, None))
        finally:
            log.close()

    return Notifier(send, **_rest(options))


def prometheus(
    pushgateway_url: str,
    job_name: str = "appliance",
    auth: Credentials | None = None,
    ca_file: str | Path | None = None,
    **options: Unpack[Options],
) -> Notifier:
    """The time at which a flow or a task last came to a state, for Prometheus: the gauge `appliance_state_timestamp_seconds` with the labels
    `flow`, `task` (empty for a flow), and `state`. By default for the states in which a run ends. Needs the extra `prometheus`."""
    from appliance.tasks.prometheus import PushGaugeToGateway

    task = PushGaugeToGateway(
        pushgateway_url,
        "appliance_state_timestamp_seconds",
        "When a flow or a task last came to this state, in Unix time.",
        ("flow", "task", "state"),
        job_name,
        auth=auth,
        ca_file=ca_file,
        request_timeout=PATIENCE,
    )

    def send(target: Any, state: State) -> None:
        known = _known(target, state)
        name = target.name if known["task"] else ""
        labels = {"flow": known["flow"] or "", "task": name, "state": state.name}
        task.run([clock.now().timestamp()], [labels])

    options.setdefault("only_states", Finished)
    return Notifier(send, secrets=task.secrets, **options)


def message_of(target: Any, state: State) -> str:
    """What changed to which state, why, and in which run, in up to three lines."""
    known = _known(target, state)
    what = f"Task {known['task']} of flow {known['flow']}" if known["task"] else f"Flow {known['flow']}"
    run = f"Run {known['flow_run_name'] or ''} {known['flow_run_id'] or ''}".rstrip()
    return "\n".join(filter(None, (f"{what}: {state.name}", state.message, run if run != "Run" else "")))


def document_of(target: Any, state: State) -> dict[str, Any]:
    """The same as a JSON object: `text`, `flow`, `task` (null for a flow), `state`, `message`, `flow_run_name`, `flow_run_id`, and `at`."""
    return {"text": message_of(target, state), **_known(target, state), "at": clock.isoformat(clock.now())}


def _known(target: Any, state: State) -> dict[str, Any]:
    is_task = isinstance(target, Task)
    return {
        "flow": context.get("flow_name") if is_task else target.name,
        "task": context.get("task_full_name", target.name) if is_task else None,
        "state": state.name,
        "message": state.message,
        "flow_run_name": context.get("flow_run_name"),
        "flow_run_id": context.get("flow_run_id"),
    }


def _chat(
    kind: type[SlackTask | MattermostTask | TeamsTask | WebhookTask],
    webhook_secret: str,
    usual: Callable[[Any, State], Message],
    options: ChatOptions,
) -> Notifier:
    make = options.pop("message", usual)
    task = kind(webhook_secret=webhook_secret, request_timeout=PATIENCE)
    return Notifier(lambda target, state: task.run(make(target, state)), secrets=task.secrets, **_rest(options))


def _rest(options: Any) -> Options:
    """What is left once `message` is taken out."""
    rest: Options = options
    return rest


def _classes(name: str, states: States) -> tuple[type[State], ...]:
    classes = (states,) if isinstance(states, type) else tuple(states)
    if not all(isinstance(one, type) and issubclass(one, State) for one in classes):
        raise TypeError(f"{name} must be classes of states, such as [Failed, Cancelled].")
    return classes


class _Syslog(SysLogHandler):
    """Says what went wrong, instead of printing it."""

    ident = "appliance: "
    append_nul = False

    def handleError(self, record: logging.LogRecord) -> None:
        raise
