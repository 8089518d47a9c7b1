"""What a later attempt learns of the tasks of earlier ones: in pages that a client can read, however many they are and whatever they say."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
import pytest

from appliance.client import run_protocol as client
from appliance.protocol.logs import MAX_MESSAGE
from appliance.protocol.run_protocol import Begin, Begun, EarlierTask
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.db.session import Database
from tests.integration.builders import ALICE, RUN, begun, claim, flow, send, task

CHILDREN = 2_500


@pytest.fixture
def restarted(database: Database) -> UUID:
    """A run in its second attempt; its mapped task had many children, each tenth of which ended with a long message."""
    run, agent = begun(database)
    events = [task("extract-1", "SUCCESS", "Success", result_location="r/0"), task("load-1", "SUCCESS", "Mapped")]
    for index in range(CHILDREN):
        message = "x" * MAX_MESSAGE if index % 10 == 0 else ""
        place = f"r/{index + 1}"
        events.append(task("load-1", "SUCCESS", "Success", map_index=index, message=message, result_location=place))
    send(database, run, 1, *events, flow("FAILED", "Failed"))
    restart_run(database, ALICE, run)
    assert [work.attempt for work in claim(database, agent)] == [2]
    return run


class Server:
    """The server's side of a transport that only begins attempts."""

    def __init__(self, database: Database) -> None:
        self.database, self.answers, self.longest = database, 0, 0

    def post(self, path: str, request: Begin, _type: type[Begun]) -> Begun:
        url = urlsplit(path)
        [after] = parse_qs(url.query, keep_blank_values=True)["after"]
        answer = runs.begin(self.database, RUN, UUID(url.path.split("/")[-2]), request, after)
        self.answers += 1
        self.longest = max(self.longest, len(msgspec.json.encode(answer)))
        return answer


def keys(tasks: list[EarlierTask]) -> list[tuple[str, int]]:
    return [(one.task_slug, one.map_index) for one in tasks]


def test_a_later_attempt_learns_of_all_tasks_in_answers_of_bounded_length(database: Database, restarted: UUID) -> None:
    server = Server(database)
    answer = client.begin(server, restarted, 2)  # type: ignore[arg-type]
    assert (answer.verdict, len(answer.tasks)) == ("go", CHILDREN + 2)
    assert sorted(keys(answer.tasks)) == sorted(
        [("extract-1", -1), ("load-1", -1), *(("load-1", index) for index in range(CHILDREN))]
    )
    assert {one.result_location for one in answer.tasks} == {None, *(f"r/{index}" for index in range(CHILDREN + 1))}
    assert server.answers > 1
    assert server.longest < 9 * 1024 * 1024


def test_a_client_that_knows_no_pages_gets_all_at_once(database: Database, restarted: UUID) -> None:
    answer = runs.begin(database, RUN, restarted, Begin(attempt=2))
    assert (len(answer.tasks), answer.more_after) == (CHILDREN + 2, None)


def test_an_attempt_that_ends_between_two_pages_is_refused(database: Database, restarted: UUID) -> None:
    first = runs.begin(database, RUN, restarted, Begin(attempt=2), "")
    send(database, restarted, 1, flow("FAILED", "Failed"), attempt=2)
    second = runs.begin(database, RUN, restarted, Begin(attempt=2), first.more_after)
    assert (second.verdict, second.tasks) == ("refused", [])
