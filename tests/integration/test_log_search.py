"""Words are found in the lines of all runs by an index, which has exactly the lines that there are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.log_search import follow
from appliance.server.db.reads import log_search
from appliance.server.db.reads.log_search import LogSearch
from appliance.server.db.session import Database
from appliance.server.db.writes import deletions, flow_runs, retention
from appliance.server.domain.log_words import parse
from appliance.server.errors import Invalid, UnknownName
from tests.depth import pick
from tests.integration import builders

STRANGE = (
    'x" OR "line',
    "NEAR(a b)",
    "line* ^line line:",
    "-line AND NOT",
    "50%_\\ o'clock; --",
    "a & b | !c <-> d:*",
    "naïve ÜBER 東京駅",
    "cafe\u0301 हिन्दी",
    "x\"y'z\\'q",
    "🦊🦊🦊 fox",
    "İstanbul ß",
    "۞ ⁴ ² a²b",
    "log_search : rowid",
)


def found(db: Database, words: str, limit: int = 50, **criteria: object) -> list[str]:
    """The messages of all pages, newest first."""
    wanted, messages, after = LogSearch(parse(words), **criteria), list[str](), None  # type: ignore[arg-type]
    for _page in range(100):
        with db.read() as session:
            page = log_search.page(session, wanted, limit, after)
        assert len(page.rows) <= limit
        messages += [row.message for row in page.rows]
        if page.next is None:
            return messages
        after = page.next
    raise AssertionError("the pages have no end")


def followed(db: Database) -> None:
    """Let SQLite's index have all lines, as the service does after a few seconds."""
    while follow(db, limit=7):
        pass


def indexed(db: Database) -> int:
    """How many lines the index has: exactly those that there are."""
    followed(db)
    with db.write() as session:
        if db.dialect == "sqlite":
            session.execute(text("insert into log_search (log_search, rank) values ('integrity-check', 0)"))
        key = "rowid" if db.dialect == "sqlite" else "log_id"
        entries = set(session.execute(text(f"select {key} from log_search")).scalars())
        lines = set(session.execute(text("select id from log")).scalars())
    assert entries == lines
    return len(lines)


def written(db: Database, *messages: str, name: str = "etl", **fields: object) -> UUID:
    """A run with these lines, which are in the index."""
    run, _agent = builders.begun(db, name=name)
    builders.send(db, run, 1, *(builders.line(message, **fields) for message in messages))  # type: ignore[arg-type]
    followed(db)
    return run


@pytest.fixture(params=["index", "windows"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The newest window is small, so that what it lacks is found by the index, or in further windows."""
    monkeypatch.setattr(log_search, "WINDOW", 2)
    if request.param == "windows":
        monkeypatch.setattr(log_search, "COLLECTED", -1)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_lines_that_have_all_words_are_found_newest_first(database: Database) -> None:
    written(database, "Connection refused: 10.0.0.1", "all is well", "refused by CONNECTION pool", "refuse", "refusedx")
    assert found(database, "refused connection ") == ["refused by CONNECTION pool", "Connection refused: 10.0.0.1"]
    assert found(database, "refused ") == ["refused by CONNECTION pool", "Connection refused: 10.0.0.1"]
    assert found(database, "refus", limit=2)[:2] == ["refusedx", "refuse"]
    assert len(found(database, "refus")) == 4
    assert found(database, "efused") == [] and found(database, "refused nothing") == []
    assert found(database, "10.0.0.1") == ["Connection refused: 10.0.0.1"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize("words", ["even ", "eve"])
def test_pages_have_each_line_once(database: Database, words: str, limit: int) -> None:
    lines = [f"line {number} is {'odd' if number % 2 else 'even'}" for number in range(17)]
    written(database, *lines)
    assert found(database, words, limit) == [line for line in reversed(lines) if line.endswith("even")]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("line", STRANGE)
def test_a_text_is_no_query(database: Database, line: str) -> None:
    written(database, line, "line of others")
    assert line in found(database, line) and line in found(database, f"{line} ")
    assert found(database, f"{line} zzz") == []


@pytest.mark.usefixtures("way")
def test_nasty_texts_do_no_harm(database: Database) -> None:
    written(database, *STRANGE, "and or not near", "a b c")
    dice = random.Random(11)
    alphabet = "ab *\"'\\():^-+&|!<>{}[]%_;,.?~#@$\x00\t\n\u00a0\u0301\u200d\ufe0f\ud800éÉß²東🦊İ"
    for _ in range(pick(quick=20, normal=60, full=600)):
        words = "".join(dice.choice(alphabet) for _ in range(dice.randint(1, 60)))
        words += dice.choice(["", " AND ", " OR b", " NOT", " NEAR(a, 2)", ":*", "a*", " <-> b"])
        try:
            parse(words)
        except Invalid:
            continue
        found(database, words, limit=5)


def test_the_filters(database: Database, clock: object) -> None:
    morning = datetime(2026, 3, 2, 8, tzinfo=UTC)
    first = written(database, "word early", at=morning - timedelta(hours=2))
    builders.send(database, first, 2, builders.line("word late", level="ERROR", at=morning))
    written(database, "word other", name="other")
    assert found(database, "word") == ["word other", "word late", "word early"]
    assert found(database, "word", min_level=40) == ["word late"]
    assert found(database, "word", since=morning - timedelta(hours=1), until=morning) == []
    assert found(database, "word", until=morning) == ["word early"]
    assert found(database, "word", runs=RunFilter(flow="etl")) == ["word late", "word early"]
    assert found(database, "word", runs=RunFilter(flow="demo/other", project="demo")) == ["word other"]
    with pytest.raises(UnknownName, match="There is no flow 'ettl'; did you mean 'etl'"):
        found(database, "word", runs=RunFilter(flow="ettl"))
    with pytest.raises(UnknownName, match="There is no project"):
        found(database, "word", runs=RunFilter(project="none"))
    with pytest.raises(Invalid, match="is not before"):
        found(database, "word", since=morning, until=morning)


def test_an_item_says_where_it_is(database: Database) -> None:
    run = written(database, "needle")
    with database.read() as session:
        page = log_search.page(session, LogSearch(parse("needle")), 5, None)
    [row] = page.rows
    assert (row.flow_run_id, row.flow, row.project, row.level, row.logger) == (run, "etl", "demo", 20, "flow")
    assert row.run_name == builders.run_row(database, run)["name"] and page.complete and page.next is None


@pytest.mark.parametrize("words", ["common ", "commo"])
def test_a_page_examines_a_bounded_number_of_lines(
    database: Database, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "MOST", 6)
    monkeypatch.setattr(log_search, "WINDOW", 3)
    monkeypatch.setattr(log_search, "WINDOWS", 2)
    monkeypatch.setattr(log_search, "COLLECTED", -1)
    run = written(database, "common rare", level="ERROR")
    builders.send(database, run, 2, *(builders.line(f"common {number}") for number in range(20)))
    with database.read() as session:
        page = log_search.page(session, LogSearch(parse(words), min_level=40), 5, None)
    assert page.rows == [] and page.next is not None
    assert found(database, words, min_level=40) == ["common rare"]
    assert len(found(database, words)) == 21


@pytest.mark.parametrize("collected", [8, 9])
def test_a_word_that_was_common_once_is_found_page_by_page(
    database: Database, collected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MOST": 4, "WINDOW": 3, "WINDOWS": 2, "COLLECTED": collected}.items():
        monkeypatch.setattr(log_search, name, value)
    written(database, *(f"former {number}" for number in range(9)), *(f"newer {number}" for number in range(10)))
    assert found(database, "former ", limit=2) == found(database, "forme") == [f"former {n}" for n in range(8, -1, -1)]


def test_every_way_out_is_a_way_out_of_the_index(database: Database) -> None:
    runs = [written(database, *(f"line {number}" for number in range(5)), name=f"flow-{n}") for n in range(6)]
    assert indexed(database) == 30
    with database.write() as session:
        flow_runs.delete_one(session, runs[0], clock.now())
        flow_runs.delete_all(session, runs[1:3], clock.now())
        assert retention.run(session, runs[3], 3, clock.now()) == (3, False)
    assert indexed(database) == 12
    with database.write() as session:
        newest = session.execute(text("select max(id) from log")).scalar_one()
        assert retention.numbered(session, "log", 0, newest, None, 4)[1] == 4
    assert indexed(database) == 8
    with database.write() as session:
        flow = builders.run_row(database, runs[4])["flow_id"]
        this = runs[4].hex if database.dialect == "sqlite" else runs[4]
        session.execute(text("update flow_run set state_type = 'FAILED' where id = :id"), {"id": this})
        assert deletions.some_runs(session, UUID(str(flow)), 100, clock.now()) == 1
    left = indexed(database)
    assert left == len(found(database, "line")) < 8
    builders.send(database, runs[5], 2, builders.line("another line"))
    assert indexed(database) == left + 1 and found(database, "another") == ["another line"]


def test_numbers_that_sqlite_gives_again_find_the_new_lines(database: Database) -> None:
    kept = written(database, "kept")
    gone = written(database, "gone one", "gone two", name="other")
    with database.write() as session:
        flow_runs.delete_one(session, gone, clock.now())
    builders.send(database, kept, 2, builders.line("new one"))
    assert found(database, "gone") == [] and found(database, "one") == ["new one"] and indexed(database) == 2


def test_an_entry_without_a_line_is_left_out(database: Database) -> None:
    written(database, "word first", "word second")
    with database.write() as session:
        if database.dialect == "sqlite":
            session.execute(text("insert into log_search (rowid, message) values (999, 'word')"))
        else:
            session.execute(text("insert into log_search values (999, array_to_tsvector(array['word']))"))
    assert found(database, "word ") == found(database, "word", limit=1) == ["word second", "word first"]
    with database.write() as session:
        session.execute(text("delete from log_search"))


def test_the_longest_line_and_word_are_stored(database: Database) -> None:
    lines = ["é" * 65_000, "ⱥ" * 65_000, "Ⱥ" * 700, " ".join(f"w{n}" for n in range(9_000)), "İ" * 649 + " ab"]
    written(database, *lines)
    assert indexed(database) == len(lines)
    assert [len(line) for line in found(database, "w8999 ")] == [len(lines[3])]
    assert len(found(database, "é" * 200)) == 1


def test_a_person_deletes_a_run_with_its_lines(database: Database) -> None:
    run = written(database, "to go")
    with database.write() as session:
        session.execute(text("update flow_run set state_type = 'FAILED'"))
    delete_run(database, builders.ALICE, run)
    assert indexed(database) == 0 and found(database, "go") == []


def test_a_new_database_has_nothing_to_fill(database: Database) -> None:
    with database.read() as session:
        assert log_search.FILL.find(session) is None
        assert log_search.page(session, LogSearch(parse("word")), 5, None).complete
    assert clock.now() is not None


def test_lines_of_the_last_seconds_are_found_before_they_are_indexed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "WINDOW", 3)
    messages = [f"word {number}" for number in range(20)]
    run = written(database, *messages[:8])
    builders.send(database, run, 2, *(builders.line(message) for message in messages[8:]))
    for words in ("word ", "wor"):
        for limit in (1, 4, 50):
            assert found(database, words, limit=limit) == messages[::-1]
    if database.dialect == "sqlite":
        with database.read() as session:
            assert log_search.lag(session) == (20, 8)
        assert follow(database, limit=7) and follow(database, limit=5) and not follow(database)
        with database.read() as session:
            assert log_search.lag(session) == (20, 20)
    assert found(database, "word ") == messages[::-1]


def test_a_long_backlog_is_searched_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "WINDOW", 3)
    monkeypatch.setattr(log_search, "WINDOWS", 2)
    run = written(database, "needle")
    builders.send(database, run, 2, *(builders.line(f"hay {number}") for number in range(40)))
    assert found(database, "needle") == ["needle"]
