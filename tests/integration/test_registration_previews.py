"""What registering would do is answered in full, by the code that would do it, and nothing of it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.protocol.agents import Enrol
from appliance.protocol.flows import Registration
from appliance.protocol.life_cycle import EditFlow
from appliance.server.actions import agents, flow_edits, flows, schedules
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import Conflict, Invalid
from tests.integration.builders import ALICE, document, rows


def request(name: str = "etl", cron: str | None = None, path: str = "/flows/etl.py", **more: Any) -> Registration:
    doc = document()
    doc["schedules"] = [] if cron is None else [{"kind": "cron", "cron": cron, "timezone": "UTC"}]
    storage = {"type": "local", "path": path, "flow": name, "sha256": "0" * 64}
    return Registration(project="demo", name=name, content_hash="0" * 64, document=doc, storage=storage, **more)


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(database, f'select * from "{table}"') for table in sorted(metadata.tables)}


def previewed(database: Database, sent: Registration) -> Any:
    """The preview, which leaves everything as it is and which registering then fulfils."""
    before = everything(database)
    answer = flows.preview(database, ALICE, sent)
    assert everything(database) == before
    done = flows.register(database, ALICE, sent)
    for name in ("version", "created", "restores", "changes"):
        assert getattr(answer, name) == getattr(done, name)
    assert [(item.outcome, item.description) for item in answer.schedules] == [
        (item.outcome, item.description) for item in done.schedules
    ]
    return answer


def test_a_preview_says_what_registering_then_does(database: Database) -> None:
    first = previewed(database, request(cron="0 2 * * *"))
    assert first.flow_id is None and [item.id for item in first.schedules] == [None]
    again = previewed(database, request(cron="0 2 * * *"))
    assert again.flow_id is not None and not again.created and again.schedules == []
    edited = previewed(database, request(cron="0 3 * * *"))
    assert edited.version == 2 and edited.changes == [
        'schedule changed from "Every day at 02:00" to "Every day at 03:00"'
    ]
    gone = previewed(database, request())
    assert [item.outcome for item in gone.schedules] == ["removed"]
    restored = previewed(database, request(cron="0 2 * * *"))
    assert restored.restores == 1


def test_what_would_be_refused_is_refused(database: Database) -> None:
    flow_id = flows.register(database, ALICE, request()).flow_id
    flow_edits.edit(database, ALICE, flow_id, EditFlow(archived=True))
    with pytest.raises(Conflict, match="is archived"):
        flows.preview(database, ALICE, request())
    with pytest.raises(Invalid, match=r"expression|cron|hour|minute"):
        flows.preview(database, ALICE, request("other", cron="99 * * * *"))


def test_a_closed_folder_is_part_of_the_answer(database: Database) -> None:
    agents.enrol(database, ALICE, Enrol(name="here", type="process", roots=["/srv"]))
    answer = flows.preview(database, ALICE, request())
    assert answer.closed_folder == "/flows" and "is in none of the folders" in answer.closed
    assert answer.created and answer.version == 1


def test_a_schedule_of_a_person_is_not_touched(database: Database) -> None:
    flow_id = flows.register(database, ALICE, request()).flow_id
    schedules.create(database, ALICE, flow_id, {"kind": "cron", "cron": "0 5 * * *"})
    assert previewed(database, request(cron="0 2 * * *")).schedules[0].outcome == "added"
