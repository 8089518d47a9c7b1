"""What is judged of answers to requests that hardly anybody would send, and a site to send them to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from appliance.kit import clock
from tests.integration import builders, fuzz
from tests.integration.server_fixtures import Site

LONGEST_REFUSAL = 16 * 1024
SLOW = 1.0
"""Seconds."""
_ALSO = {"api_token", "session", "agent", "lease"}
"""Tables that may change meanwhile: when a token was used, that an agent was heard from, that this server is alive."""


_TABLES = {
    **{
        "run": "flow_run",
        "flow_run": "flow_run",
        "id": "flow_run",
        "limit": "concurrency_limit",
        "version": "flow_version",
    },
    **{name: name for name in ("flow", "project", "schedule", "agent", "job")},
}


class Ids:
    """The ids of what exists, looked up now and then."""

    def __init__(self, site: Site) -> None:
        self._site, self._asked = site, 0
        self._found: dict[str, list[str]] = {}

    def __call__(self) -> dict[str, list[str]]:
        if self._asked % 300 == 0:
            self._found = {name: self._of(table) for name, table in _TABLES.items()}
        self._asked += 1
        return self._found

    def _of(self, table: str) -> list[str]:
        rows = builders.rows(self._site.database, f'select id from "{table}" order by id desc limit 5')
        return [str(row["id"]) for row in rows]


@pytest.fixture
def stocked(site: Site) -> Site:
    """A site with something of everything."""
    registered = builders.register(site.database, "etl", schedules=[builders.MINUTELY])
    builders.create(site.database, registered.flow_id)
    (work,) = builders.claim(site.database, builders.enrol(site.database))
    site.tokens["run"] = work.run_token
    site.tokens["run id"] = str(work.flow_run_id)
    return site


class Verdict:
    """Counts answers, and keeps those that are faults. `send` asks and returns status and body; by default, within this process."""

    def __init__(self, site: Site, send: Callable[[fuzz.Asked], tuple[int, bytes]] | None = None) -> None:
        self._site, self._watch, self._send = site, fuzz.Watch(), send or self._within
        self._statuses: Counter[int] = Counter()
        self.faults: list[tuple[Any, ...]] = []
        self.changes, self._slowest = 0, 0.0

    def send(self, asked: fuzz.Asked) -> int:
        """Ask, judge, and return the status."""
        self._watch.committed.clear()
        status, body, took = self._timed(asked)
        is_refused = status >= 400 or _is_refused(asked, status, body)
        changed = set(self._watch.committed) - _ALSO
        if took > SLOW:  # on a loaded machine anything may be slow once
            took = min(took, *(self._timed(asked)[2] for _ in range(3)))
        self._slowest = max(self._slowest, took)
        self._statuses[status] += 1
        self.changes += bool(changed)
        is_fault = status >= 500 or (status == 200 and b'"code":"internal"' in body) or took > SLOW
        if is_fault or (is_refused and (changed or len(body) > LONGEST_REFUSAL)):
            self.faults.append((asked, status, body[:300], changed, took))
        return status

    def count(self, status: int) -> int:
        """How many answers had this status."""
        return self._statuses[status]

    def _timed(self, asked: fuzz.Asked) -> tuple[int, bytes, float]:
        began = clock.monotonic()
        status, body = self._send(asked)
        return status, body, clock.monotonic() - began

    def _within(self, asked: fuzz.Asked) -> tuple[int, bytes]:
        known = self._site.headers(asked.principal) if asked.principal else {}
        headers = {"Content-Type": "application/json"} | asked.headers | known
        answer = self._site.client.request(asked.method, asked.path, content=asked.body, headers=headers)
        return answer.status_code, answer.content

    def __enter__(self) -> Verdict:
        self._watching = self._watch.on(self._site.database)
        self._watching.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._watching.__exit__(*error)
        if error[0] is None:
            print(
                f"statuses {dict(sorted(self._statuses.items()))}, {self.changes} changes, slowest {self._slowest:.2f} s"
            )
            for fault in self.faults[:20]:
                print(str(fault)[:1500])
            assert not self.faults


def _is_refused(asked: fuzz.Asked, status: int, body: bytes) -> bool:
    """Whether the only root field of a GraphQL document was not carried out. Of several, each is carried out or refused for itself."""
    if status != 200 or asked.path != "/graphql" or b"a1: " in (asked.body or b"") or b'"errors"' not in body:
        return False
    document = json.loads(body)
    below = any(
        len(error.get("path", ())) > 1 for error in document["errors"]
    )  # the change was made, and its answer can't be shown
    return not below and not any(value is not None for value in (document.get("data") or {}).values())
