"""Labels: which ones there can be, and that two which look alike are one, wherever they come from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registration
from appliance.server.actions import flows
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.db.session import Database
from appliance.server.errors import Invalid
from tests.integration import builders
from tests.integration.builders import ALICE, document
from tests.integration.lasting import database, lasting, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "lasting", "site"]

COMPOSED, DECOMPOSED = "z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich", "zu\N{COMBINING DIAERESIS}rich"
WRONG: list[tuple[list[str], str]] = [
    ([""], "can't be used; write 1 to 100 printable characters"),
    (["  "], "can't be used"),
    (["x" * 101], "can't be used"),
    (["x" * 10_000], "can't be used"),
    (["a\nb"], "can't be used"),
    (["a\N{RIGHT-TO-LEFT OVERRIDE}b"], "can't be used"),
    ([f"label-{number}" for number in range(51)], r"too many labels \(51\)"),
    ([f"label-{number}" for number in range(1_000)], r"too many labels \(1000\)"),
]


def registration(given: list[str], **said: Any) -> Registration:
    whole = document(**said)
    return Registration(project="demo", name="etl", content_hash="0" * 64, document=whole, storage={}, labels=given)


@pytest.mark.parametrize(("labels", "sentence"), WRONG, ids=lambda value: ascii(value)[:30])
def test_labels_of_another_form_are_refused_through_every_door(
    database: Database, labels: list[str], sentence: str
) -> None:
    flow = builders.register(database).flow_id
    schedule = builders.YEARLY | {"labels": labels}
    doors = (
        lambda: flows.register(database, ALICE, registration(labels)),
        lambda: flows.register(database, ALICE, registration([], labels=labels)),
        lambda: flows.register(database, ALICE, registration([], schedules=[schedule])),
        lambda: create_run(database, ALICE, CreateFlowRun(flow_id=flow, labels=labels)),
        lambda: builders.enrol(database, labels=labels),
    )
    for door in doors:
        with pytest.raises(Invalid, match=sentence):
            door()


def test_labels_are_trimmed_and_each_is_there_once(database: Database) -> None:
    flows.register(database, ALICE, registration([" gpu ", "gpu", "big"], labels=["gpu"]))
    with database.read() as session:
        version = session.execute(builders.text("select labels from flow_version")).scalar_one()
    assert (json.loads(version) if isinstance(version, str) else version) == ["big", "gpu"]


@pytest.mark.parametrize(("ours", "theirs"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_labels_that_look_alike_are_one(site: Site, ours: str, theirs: str) -> None:
    db = site.database
    flow = flows.register(db, ALICE, registration([ours])).flow_id
    assert not flows.register(db, ALICE, registration([theirs])).created
    limit = {"kind": "label", "name": theirs, "slots": 0}
    assert site.client.put("/api/v1/concurrency-limits", json=limit, headers=site.headers("admin")).status_code == 200
    run = builders.create(db, flow)
    agent = builders.enrol(db, labels=[theirs])
    assert builders.claim(db, agent) == [], "the limit is for this label"
    limit["slots"] = 1
    site.client.put("/api/v1/concurrency-limits", json=limit, headers=site.headers("admin"))
    assert [work.flow_run_id for work in builders.claim(db, agent)] == [run]
    for label in (ours, theirs):
        found = site.get("/api/v1/flow-runs", params={"q": f"label:{label}"})
        assert [item["id"] for item in found.json()["items"]] == [str(run)], found.text
        agents = site.data("query ($labels: [String!]) { agents(labels: $labels) { name } }", labels=[label])
        assert agents["agents"] == [{"name": "embedded"}]
