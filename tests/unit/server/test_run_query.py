"""The filter of runs as text: what each token means, and what is said of one that can't be used."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.run_filter import RunFilter
from appliance.server.domain.run_query import LONGEST, MOST_TOKENS, READERS, WAITING, RunQuery, expanded, parse
from appliance.server.errors import Invalid

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)

CASES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("  ", {}),
    ("calm otter", {"text": "calm otter"}),
    ('"state:failed"', {"text": "state:failed"}),
    ('"http://x"', {"text": "http://x"}),
    ('text:"say \\"hi\\" \\\\ there"', {"text": 'say "hi" \\ there'}),
    ("state:failed,late", {"states": ["FAILED", "Late"]}),
    ("state:Timed-Out state:FAILED", {"states": ["TimedOut", "FAILED"]}),
    ('state:"trigger failed"', {"states": ["TriggerFailed"]}),
    ("STATE:waiting", {"states": list(WAITING)}),
    ("state:Parked", {"states": ["Parked"]}),
    ("flow:etl-* project:finance", {"flow": "etl-*", "project": "finance"}),
    ("flow:01a22a42-4894-727e-a11b-64a650db1104", {"flow_id": UUID("01a22a42-4894-727e-a11b-64a650db1104")}),
    ("label:gpu label:north,south", {"labels": ["gpu", "north", "south"]}),
    ("agent:edge-01 version:14 by:alice", {"agent": "edge-01", "flow_version": 14, "created_by": "alice"}),
    ("param.region:eu param.n:1", {"parameters": {"region": "eu", "n": 1}}),
    ('param.n:"1" param.on:true', {"parameters": {"n": "1", "on": True}}),
    ("since:7d", {"since": NOW - timedelta(days=7)}),
    ("until:2026-01-31", {"until": datetime(2026, 1, 31, tzinfo=UTC)}),
    ("since:2026-01-31T06:30+01:00", {"since": datetime(2026, 1, 31, 5, 30, tzinfo=UTC)}),
    ("started:>2026-01-31 started:<1h", {"started_since": datetime(2026, 1, 31, tzinfo=UTC), "started_until": NOW - timedelta(hours=1)}),
    ("duration:>10m duration:<2h", {"longer_than": 600.0, "shorter_than": 7200.0}),
    ('error:"HTTP 503" otter', {"error": "HTTP 503", "text": "otter"}),
    ("is:late", {"states": ["Late"]}),
    ("is:planned", {"states": ["SCHEDULED"], "since": NOW}),
    ("is:subrun", {"is_subrun": True}),
    ("parent:none", {"is_subrun": False}),
    ("parent:01a22a42-4894-727e-a11b-64a650db1104", {"parent": UUID("01a22a42-4894-727e-a11b-64a650db1104")}),
]  # fmt: skip
WRONG = [
    ("stat:failed", "There is no filter 'stat'; did you mean 'state'?", "stat:failed"),
    ("tag:x", "There is no filter 'tag'; ", "tag:x"),
    ("calm http://x", "put it in quotation marks", "http://x"),
    ("state:", "state: can't be used: its value is missing", "state:"),
    ('flow:""', "its value is missing", 'flow:""'),
    ("state:failed,,late", "a value between its commas is missing", "state:failed,,late"),
    ("flow:a flow:b", "flow:b can't be used: there is another condition of this kind", "flow:b"),
    ("param.n:1 param.n:2", "another condition", "param.n:2"),
    ("text:a b", "another condition", "b"),
    ("version:new", "a version is a whole number", "version:new"),
    ("since:yesterday", "'yesterday' is not a time", "since:yesterday"),
    ("since:1800-01-01", "between the years", None),
    ("started:2026-01-31", "write it like started:>2026-01-31", "started:2026-01-31"),
    ("duration:>long", "'long' is not a length of time", "duration:>long"),
    ("duration:10m", "write it like duration:>10m", "duration:10m"),
    ("is:known", "it can be is:late, is:planned, or is:subrun", "is:known"),
    ("parent:otter", "write the ID of the run", "parent:otter"),
    ("param:x", "write a parameter as param.NAME:VALUE", "param:x"),
    ("flow.x:y", "write a parameter as param.NAME:VALUE", "flow.x:y"),
    ('etl error:"timed out', "is not closed", 'error:"timed out'),
    ('"a\\"', "is not closed", '"a\\"'),
    ("x" * (LONGEST + 1), "too long", None),
    ("label:x " * (MOST_TOKENS + 1), "too many conditions", None),
    ("a\0b", "NUL", None),
]


@pytest.mark.parametrize(("text", "fields"), CASES)
def test_meaning(text: str, fields: dict[str, Any]) -> None:
    assert parse(text, NOW) == RunQuery(**fields)


@pytest.mark.parametrize(("text", "sentence", "token"), WRONG)
def test_refusals_name_the_token(text: str, sentence: str, token: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text, NOW)
    assert sentence in refused.value.message
    if token is not None:
        assert refused.value.details == {"token": token}


def test_any_text_is_a_query_or_refused_in_one_sentence() -> None:
    dice = random.Random(7)
    alphabet = ['"', "\\", ":", ".", ",", "*", ">", " ", "7d", "a", "é", "\n", *READERS]
    for _ in range(3_000):
        text = "".join(dice.choice(alphabet) for _ in range(dice.randrange(12)))
        try:
            parse(text, NOW)
        except Invalid as error:
            assert 0 < len(error.message) < 500


def test_tokens_mean_the_same_in_any_order() -> None:
    dice = random.Random(8)
    tokens = ["state:failed", "flow:etl", "label:gpu", "since:7d", "duration:>1m", "param.x:1", "otter", 'error:"a b"']
    for _ in range(100):
        chosen = dice.sample(tokens, dice.randrange(1, len(tokens)))
        assert parse(" ".join(chosen), NOW) == parse("  ".join(sorted(chosen)), NOW)


def test_states_beside_a_query_narrow_it() -> None:
    flow = RunFilter(q="state:failed,cancelled otter", states=["FAILED", "SUCCESS"])
    assert expanded(flow, NOW) == RunQuery(states=["FAILED"], text="otter")
    never = RunFilter(q="state:failed", states=["SUCCESS"])
    assert expanded(never, NOW) == RunQuery(states=["FAILED"], types=["SUCCESS"])
    for other in ({"flow": "etl"}, {"include_future": True}, {"states": ["Late"]}):
        with pytest.raises(Invalid):
            expanded(RunFilter(q="otter", **other), NOW)  # type: ignore[arg-type]
