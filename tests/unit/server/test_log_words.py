"""The words of lines and of searches."""

from __future__ import annotations

import random
import sys
import unicodedata

import pytest

from appliance.server.db.sqlite import dbapi
from appliance.server.domain import log_words
from appliance.server.domain.log_words import LogWords, excerpt, parse, split
from appliance.server.errors import Invalid


@pytest.mark.parametrize(
    ("text", "words", "begins"),
    [
        ("connection refused", ("connection", "refused"), True),
        ("connection refused ", ("connection", "refused"), False),
        ("refused.", ("refused",), False),
        ("10.0.0.1:5432", ("10", "0", "0", "1", "5432"), True),
        ("user_id=42", ("user", "id", "42"), True),
        ('"a" OR NOT b*', ("a", "OR", "NOT", "b"), False),
        ("naïve ÜBER 東京駅", ("naïve", "ÜBER", "東京駅"), True),
        ("cafe\u0301", ("cafe\u0301",), True),
        ("हिन्दी", ("हिन्दी",), True),
        ("✔\ufe0f done", ("done",), True),
        ("a\x00b\ud800c", ("a", "b", "c"), True),
    ],
)
def test_a_text_has_words(text: str, words: tuple[str, ...], begins: bool) -> None:
    assert parse(text) == LogWords(words, begins)


def test_a_line_has_the_words_that_splitting_it_gives() -> None:
    dice = random.Random(3)
    for _ in range(5_000):
        text, line = (
            "".join(dice.choice("aAbB1 _-.\né\u0130\u212a"[: dice.choice((10, 13))]) for _ in range(9)) for _ in "ab"
        )
        if not split(text[:4]):
            continue
        search, own = parse(text[:4]), [word.lower() for word in split(line)]
        whole = [word.lower() for word in search.words]
        last = whole.pop() if search.begins else ""
        expected = set(whole) <= set(own) and any(word.startswith(last) for word in own)
        assert search.are_in(line) == expected, (search, line)


@pytest.mark.parametrize("text", ["", "   ", "...", "→ _ %", "\u0301", "\x00"])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="has no word; use letters or digits"):
        parse(text)


def test_a_text_is_bounded() -> None:
    assert len(parse("a " * 10).words) == log_words.MOST_WORDS
    with pytest.raises(Invalid, match="too many words; use at most 10"):
        parse("a " * 11)
    assert parse("x" * 200).words == ("x" * 200,)
    with pytest.raises(Invalid, match="too long; use at most 200 characters"):
        parse("x" * 201)


def test_a_line_has_words_in_any_order_and_case() -> None:
    line = "Connection to 10.0.0.1 REFUSED: timeouts"
    assert parse("refused connection ").are_in(line)
    assert parse("timeout").are_in(line) and not parse("timeout ").are_in(line)
    assert parse("REFUSED Time").are_in(line) and not parse("time refused ").are_in(line)
    assert not parse("onnection").are_in(line)


def test_the_index_of_sqlite_never_splits_a_word() -> None:
    """It would take two parts for a phrase, which an index without places refuses."""
    letters = [chr(code) for code in range(128, sys.maxunicode) if log_words._is_part(chr(code))]
    assert len(letters) > 90_000
    connection = dbapi.connect(":memory:")
    connection.execute(
        "create virtual table log_search using fts5(message, content='', contentless_delete=1, detail='none',"
        " tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* Co'\")"
    )
    lines = enumerate(f"a{letter}b" for letter in letters)
    connection.executemany("insert into log_search (rowid, message) values (?, ?)", lines)
    assert connection.execute("select count(*) from log_search where log_search match '\"a\"'").fetchone() == (0,)
    connection.close()


def test_split_takes_what_a_line_may_be() -> None:
    assert split("") == [] and split("\u0301x") == ["x"]
    assert unicodedata.category("۞") == "So" and split("a۞b") == ["a", "b"]


def test_a_list_shows_the_part_of_a_long_line_that_was_looked_for() -> None:
    assert excerpt("short", parse("short")) == "short"
    line = "a" * 5_000 + " needle " + "z" * 5_000
    shown = excerpt(line, parse("missing Needle "))
    assert "needle" in shown and shown[0] == shown[-1] == "…" and len(shown) == 1_002
    assert excerpt(line, parse("aaa")) == "a" * 1_000 + "…"
    assert excerpt("b" * 2_000 + " end", parse("end")).endswith("b end")
