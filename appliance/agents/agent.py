"""The loop that all agents share: enrol, claim work, start it, and stop runs on request. Subclasses define how."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future
from typing import ClassVar, Literal
from uuid import UUID

from msgspec.structs import replace

from appliance.agents.clock_skew import ClockSkew
from appliance.agents.introduction import introduction
from appliance.agents.quarantine import Quarantine, is_of_the_machine
from appliance.agents.returning import give_back
from appliance.agents.roots import Roots
from appliance.agents.vitals import Vitals
from appliance.client import agents
from appliance.client.errors import ClientError, Forbidden, NotFound, SetupRequired, Unauthenticated
from appliance.client.transport import Transport, retry_after
from appliance.kit import crash
from appliance.kit.backoff import delays
from appliance.packaging.storage import CodeMissing
from appliance.protocol.agents import Claim, Claimed, CodeGone, Enrol, Enrolled, Held, Provided, Work

WAIT = 3.0
"""How long a claim waits for work. A stopping agent waits for its open claim, whose answer may be work, so this must be short."""
FULL_PAUSE = 1.0
STOPPING_PAUSE = 0.25
"""The pause after stopping runs. While there is something to stop, the server answers claims at once."""
STOP_SECONDS = WAIT + 1.0
"""How long a stopping agent waits for an open request, so that a hanging server can't hold it up."""
LONGEST_PAUSE = 3.0

_logger = logging.getLogger("appliance.agent")


class StartFailed(Exception):
    """A run could not be started. The message is a sentence for the run's page."""


class Lacking(StartFailed):
    """What a run config asks for is not here, or is not allowed. A person can change that, so the run waits."""


class NotStarted(Exception):
    """An attempt was not started, for a reason that passes or is not the run's: the server gives the run to an agent again. The message is a
    sentence for the agent's log."""


def system_error(what: str, error: OSError) -> StartFailed | NotStarted:
    """What the system refused, as an error of the run, or of this machine if it would have refused that to any run."""
    kind = NotStarted if is_of_the_machine(error) else StartFailed
    return kind(f"{what}: {error.strerror}.")


class Agent(ABC):
    """Subclasses start runs somewhere and keep track of them."""

    kind: ClassVar[Literal["process", "docker", "kubernetes"]]

    def __init__(
        self, transport: Transport, *, name: str, labels: Sequence[str], capacity: int, wait: float = WAIT
    ) -> None:
        self._transport = transport
        self._name = name
        self._labels = sorted(set(labels))
        self._capacity = capacity
        self._wait = wait
        self.roots: Roots | None = None
        self.env_names: Sequence[str] | None = None
        self.projects: Sequence[str] = ()
        self.storages: Sequence[str] | None = None  # those from which it takes code; None: all that can be used here
        self.problems: Sequence[str] = ()  # what it has found wrong, one sentence each
        self._published: Enrol | None = None  # what the server has heard
        self._revision = 0  # the number that it gave that
        self._outage: set[type[ClientError]] = set()  # what the log says of the present one
        self._left_behind = False  # the agent stopped without waiting for the loop's thread
        self.changed = threading.Event()  # a slot became free
        self.vitals, self.quarantine, self.skew = Vitals(name, capacity), Quarantine(), ClockSkew()

    @abstractmethod
    def open(self) -> None:
        """Called before the first claim: adopt the runs that an earlier agent of this name left running."""

    @abstractmethod
    def on_enrol(self, answer: Enrolled) -> None:
        """Called when the server has accepted this agent."""

    @abstractmethod
    def close(self) -> None:
        """Stop watching. Active runs continue."""

    @abstractmethod
    def holding(self) -> list[Held]:
        """The attempts that are running here now."""

    @abstractmethod
    def start(self, work: Work) -> None:
        """Start one attempt, and say so to `started`. Raises StartFailed, Lacking, or NotStarted."""

    def can_start(self) -> bool:
        """Whether it can start runs at present. Until then, it asks for none."""
        return True

    def code_problem(self, work: Work) -> str:
        """Why the code of an attempt can't be obtained here, in a sentence; empty if it can."""
        return ""

    def results(self) -> tuple[str, str] | None:
        """Where its runs store results by default, and the identity of that place, if it is a folder. None: it doesn't say."""
        return None

    @property
    def results_key_id(self) -> str:
        """Which key seals the results that the server keeps of its runs; empty: none does."""
        return ""

    @property
    def provided(self) -> Provided | None:
        """What it can give runs that ask for it; None: it doesn't say."""
        return None

    @abstractmethod
    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        """Stop one attempt if it is still running. Called repeatedly until the attempt has ended."""

    @abstractmethod
    def report_failed_start(self, work: Work, reason: str) -> None:
        """Report to the server that `start` failed."""

    def started(self, work: Work) -> None:
        """An attempt was started."""
        self.vitals.started(work)
        self.quarantine.started()

    def not_started(self, work: Work, error: Exception) -> None:
        """An attempt was not started here. The server learns it from the next claims, if not by a report."""
        if isinstance(error, NotStarted):
            self.vitals.not_started("agent")
            self.quarantine.failed(str(error), ahead=self.skew.seconds or 0.0)
            _logger.error("Run %s is not started here: %s", work.name, error)
        else:
            self.vitals.not_started("lacking" if isinstance(error, Lacking | CodeMissing) else "run")

    # --- the loop

    def run(self, stop: threading.Event) -> int:
        """Take work until `stop` is set. Returns the exit code: 0, or 2 if the server rejects this agent."""
        self.open()
        try:
            return self._until(stop)
        except (Unauthenticated, Forbidden, NotFound) as error:
            self.vitals.rejected = str(error)
            _logger.error("The server at %s rejected this agent: %s", self._transport.url, error)
            return 2
        finally:
            self.close()

    def _until(self, stop: threading.Event) -> int:
        """Run the loop in a thread that is abandoned if it does not end in time. An end for another reason sets `stop`, too."""
        outcome: Future[int] = Future()

        def work() -> None:
            try:
                outcome.set_result(self._run(stop))
            except BaseException as error:  # noqa: BLE001 - raised again below, in the waiting thread
                outcome.set_exception(error)
            stop.set()

        threading.Thread(target=work, name="appliance-claims", daemon=True).start()
        stop.wait()
        try:
            return outcome.result(STOP_SECONDS)
        except TimeoutError:
            self._left_behind = True
            _logger.warning("The server does not answer; the agent stops without waiting for it.")
            return 0

    def _run(self, stop: threading.Event) -> int:
        agent_id = self._enrol(stop)
        pauses = delays(0.1, LONGEST_PAUSE)
        while agent_id is not None and not stop.is_set():
            self.vitals.beat()
            try:
                if self._has_news():
                    agent_id = self._enrol(stop)
                    continue
                orders = self._claim(agent_id, stop)
                if self._left_behind:
                    return 0
                self._carry_out(agent_id, orders)
                if orders.stop and not orders.work:
                    self.changed.wait(STOPPING_PAUSE)
            except NotFound:
                agent_id = self._enrol(stop)  # an administrator removed the agent, or the database was replaced
            except (Unauthenticated, Forbidden):
                raise
            except ClientError as error:
                self._wait_for_server(error, next(pauses), stop)
                continue
            if self._outage:
                _logger.info("The server is back.")
                self._outage.clear()
            pauses = delays(0.1, LONGEST_PAUSE)
        if agent_id is not None and not self._left_behind:
            self._sign_off(agent_id)
        return 0

    def _wait_for_server(self, error: ClientError, pause: float, stop: threading.Event) -> None:
        """The log says it once for each kind of error: a server that was down may come back as one that is not trusted."""
        if type(error) not in self._outage and not isinstance(error, SetupRequired):
            _logger.warning("Waiting for the server: %s", error)
            self._outage.add(type(error))
        self.vitals.away = str(error)
        stop.wait(max(pause, retry_after(error)))

    def _has_news(self) -> bool:
        """Whether the administrator has added or removed roots, or it has found a problem or something that it provides, since it last enrolled."""
        said = self._published
        return said is not None and (
            self._all_problems() != said.problems
            or self._provided_now() != said.provided
            or (self.roots is not None and list(self.roots.open) != said.roots)
        )

    def _provided_now(self) -> Provided | None:
        ends = self.quarantine.ends
        return self.provided if ends is None else replace(self.provided or Provided(), quarantined_until=ends)

    def _all_problems(self) -> list[str]:
        return [*self.problems, *filter(None, (self.quarantine.problem, self.skew.problem))]

    def _sign_off(self, agent_id: UUID) -> None:
        """Say goodbye. Without an answer, or from a server one release older, the agent is offline once it has been silent for a while."""
        try:
            agents.sign_off(self._transport, agent_id)
        except ClientError as error:
            _logger.info("The server does not know that the agent has stopped: %s", error)

    def _enrol(self, stop: threading.Event) -> UUID | None:
        """Retry until the server accepts this agent. Returns None if the agent must stop."""
        request = introduction(
            self.kind,
            self._name,
            self._labels,
            self._capacity,
            self.roots,
            self.env_names,
            self.projects,
            self._all_problems(),
            self.results(),
            self.results_key_id,
            self.storages,
            self._provided_now(),
        )
        self._published = request
        for pause in delays(0.1, LONGEST_PAUSE):
            self.vitals.beat()
            if stop.is_set():
                return None
            try:
                answer = agents.enrol(self._transport, replace(request, after=self._revision))
            except (Unauthenticated, Forbidden, NotFound):  # NotFound: the token is another agent's
                raise
            except ClientError as error:
                self._wait_for_server(error, pause, stop)
                continue
            self._outage.clear()
            self._revision = answer.revision
            self.on_enrol(answer)
            _logger.info("Agent %s takes runs from %s.", self._name, self._transport.url)
            return answer.agent_id
        return None

    def _claim(self, agent_id: UUID, stop: threading.Event) -> Claimed:
        self.changed.clear()
        holding = self.holding()
        free = self._free_slots(holding)
        wait = self._wait if free else 0.0
        answer = agents.claim(self._transport, agent_id, Claim(free_slots=free, wait_s=wait, holding=holding))
        self.vitals.answered(holding)
        if answer.at is not None:
            self.skew.observe(answer.at)
        if free == 0 and not stop.is_set():
            self.changed.wait(FULL_PAUSE)
        return answer

    def _free_slots(self, holding: Sequence[Held]) -> int:
        """How many runs it asks for."""
        can_start = self.can_start()
        self.vitals.idle = self.quarantine.problem if can_start else " ".join(self.problems) or "It can start no runs."
        return self.quarantine.slots(max(0, self._capacity - len(holding))) if can_start else 0

    def _carry_out(self, agent_id: UUID, orders: Claimed) -> None:
        for stop in orders.stop:
            self.stop_run(stop.flow_run_id, stop.attempt, stop.reason)
        free = max(0, self._capacity - len(self.holding())) if orders.work else 0
        for work in orders.work[free:]:  # it learns from the next claims that they were not started
            _logger.error(
                "Run %s is not started here: the server sent more runs than this agent has room for.", work.name
            )
        for work in orders.work[:free]:
            crash.point("agent.claimed")
            self.vitals.claimed(work)
            try:
                if self.projects and work.project not in self.projects:  # from a server that does not know them
                    raise StartFailed(f"This agent takes no runs of project {work.project}.")
                problem = self.code_problem(work)
                if not problem or not self._gives_back(agent_id, work, problem):
                    self._start(agent_id, work)
            except (ClientError, crash.Crashed):
                raise
            except NotStarted as error:
                self.not_started(work, error)
            except StartFailed as error:
                self._start_failed(work, error, str(error))
            except Exception as error:  # no run may end the agent, which has others
                _logger.exception("Starting run %s failed.", work.name)
                self._start_failed(work, error, f"The agent could not start it: {type(error).__name__}: {error}")

    def _start_failed(self, work: Work, error: Exception, reason: str) -> None:
        self.not_started(work, error)
        _logger.error("Run %s could not be started: %s", work.name, reason)
        self.report_failed_start(work, reason)

    def _start(self, agent_id: UUID, work: Work) -> None:
        try:
            self.start(work)
        except Lacking as error:
            if not self._gives_back(agent_id, work, str(error), is_code=False):
                raise

    def _gives_back(self, agent_id: UUID, work: Work, problem: str, is_code: bool = True) -> bool:
        """Whether the run must not be started here, because the server has found another way or lets it wait."""
        request = CodeGone(flow_run_id=work.flow_run_id, attempt=work.attempt, reason=problem, is_code=is_code)
        is_taken_back = give_back(self._transport, agent_id, request, work.name)
        if is_taken_back:
            self.vitals.not_started("lacking")
        return is_taken_back
