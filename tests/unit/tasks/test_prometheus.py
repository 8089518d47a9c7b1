"""Gauges pushed to a Pushgateway: what it gets, and which labels are refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from appliance.tasks.library.errors import MissingArgument, Refused
from appliance.tasks.prometheus import PushAddGaugeToGateway, PushGaugeToGateway
from tests.conformance.task_servers import Web


@pytest.fixture
def web() -> Iterator[Web]:
    with closing(Web("unused")) as web:
        yield web


def test_each_value_has_its_labels_and_the_group_is_in_the_address(web: Web) -> None:
    task = PushGaugeToGateway(f"{web.url}/open/hook", "rows", "Rows written.", ["flow"], "nightly")
    labels = [{"flow": "a/b", "table": "orders"}, {"flow": "a/b", "table": 'say "hi"'}]
    assert task.run([3, 4.5], labels) == 2
    (request,) = web.seen
    assert (request["method"], request["path"]) == ("PUT", "/open/hook/metrics/job/nightly/flow@base64/YS9i")
    assert request["headers"]["content-type"].startswith("text/plain; version=0.0.4")
    assert request["body"].decode().splitlines() == [
        "# HELP rows Rows written.",
        "# TYPE rows gauge",
        'rows{flow="a/b",table="orders"} 3.0',
        'rows{flow="a/b",table="say \\"hi\\""} 4.5',
    ]


def test_adding_leaves_other_gauges(web: Web) -> None:
    PushAddGaugeToGateway(f"{web.url}/open/hook", "rows").run([1])
    (request,) = web.seen
    assert (request["method"], request["path"]) == ("POST", "/open/hook/metrics/job/rows")
    assert b"rows 1.0" in request["body"]


def test_no_values_push_nothing(web: Web) -> None:
    assert PushGaugeToGateway(web.url, "rows").run([]) == 0
    assert web.seen == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"values": [1, 2], "labels": [{}]}, "There are 2 values and 1 labels"),
        ({"values": [1, 2], "labels": [{"a": "1"}, {"b": "1"}]}, "can't take the gauge"),
        ({"values": [1], "labels": [{"__name__": "1"}]}, "can't take the gauge"),
        ({"values": ["many"]}, "can't take the gauge"),
        ({"values": [1], "grouping_key": ["flow"]}, "The label 'flow' of the grouping_key"),
        ({"values": [1, 2], "labels": [{"f": "a"}, {"f": "b"}], "grouping_key": ["f"]}, "must have the same value"),
    ],
)
def test_labels_that_dont_fit_are_refused(web: Web, call: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        PushGaugeToGateway(web.url, "rows").run(**call)
    assert web.seen == []


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingArgument, match="PushGaugeToGateway has no pushgateway_url"):
        PushGaugeToGateway(counter_name="rows").run([1])
