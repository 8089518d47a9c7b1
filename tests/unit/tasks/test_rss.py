"""Feeds: what is read of them, and what isn't a feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from appliance.tasks.library.errors import MissingArgument, Refused
from appliance.tasks.rss import ParseRSSFeed
from tests.conformance.task_servers import FEED, Web

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><updated>2026-02-01T00:00:00Z</updated>
<entry><id>urn:1</id><title>One</title><link href="one.html"/><updated>2026-02-01T00:00:00-05:00</updated></entry></feed>"""


@pytest.fixture
def web() -> Iterator[Web]:
    with closing(Web("unused")) as web:
        yield web


def test_entries_are_plain_with_absolute_links_and_times_in_utc(web: Web) -> None:
    web.answers = [(200, {"content-type": "application/rss+xml"}, FEED)]
    found = ParseRSSFeed(f"{web.url}/news/feed.xml?key=1").run()
    assert (found["feed"]["title"], found["feed"]["link"]) == ("News & more", f"{web.url}/home")
    first, second = found["entries"]
    assert first == {
        "id": "n1",
        "title": "First",
        "link": f"{web.url}/1",
        "author": "ada",
        "summary": "<b>x</b>",
        "published": "2026-01-31T05:30:00+00:00",
        "updated": None,
    }
    assert (second["title"], second["link"], second["published"]) == ("Zweite ü", None, None)
    assert {type(each) for entry in found["entries"] for each in entry.values()} == {str, type(None)}


def test_atom_is_read_as_well(web: Web) -> None:
    web.answers = [(200, {}, ATOM.encode())]
    found = ParseRSSFeed().run(f"{web.url}/news/")
    assert found["feed"]["updated"] == "2026-02-01T00:00:00+00:00"
    [entry] = found["entries"]
    assert (entry["id"], entry["link"], entry["updated"]) == (
        "urn:1",
        f"{web.url}/news/one.html",
        "2026-02-01T05:00:00+00:00",
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>hello</body></html>", b"/etc/hostname", b"{}", b"http://127.0.0.1/"]
)
def test_what_is_no_feed_is_refused(web: Web, body: bytes) -> None:
    web.answers = [(200, {}, body)]
    with pytest.raises(Refused, match=r"The answer of 127\.0\.0\.1 is not a feed"):
        ParseRSSFeed(web.url).run()


def test_an_answer_is_never_taken_for_the_name_of_a_file(web: Web, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("rss") / "feed.xml"
    file.write_bytes(FEED)
    web.answers = [(200, {}, str(file).encode())]
    with pytest.raises(Refused, match="is not a feed"):
        ParseRSSFeed(web.url).run()


def test_external_entities_are_not_read(web: Web, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("rss") / "private.txt"
    file.write_text("private words")
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file://{file}">]>'
    web.answers = [(200, {}, f'{head}<rss version="2.0"><channel><title>a &x;</title></channel></rss>'.encode())]
    assert "private" not in str(ParseRSSFeed(web.url).run())


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingArgument, match="ParseRSSFeed has no feed_url"):
        ParseRSSFeed().run()
