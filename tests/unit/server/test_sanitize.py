"""Texts that a database can keep."""

from __future__ import annotations

from appliance.server.domain.sanitize import clean, clean_document


def test_plain_texts_stay() -> None:
    assert clean("héllo ✓") == "héllo ✓"
    document = {"a": [1, "x", None]}
    assert clean_document(document) is document


def test_nul_and_lone_surrogates_are_replaced() -> None:
    assert clean("a\0b") == "a�b"
    clean("a\ud800b").encode()
    assert clean_document({"a\0": ["\0", {"b": "c\0"}]}) == {"a�": ["�", {"b": "c�"}]}


def test_long_texts_are_cut_and_say_so() -> None:
    assert clean("x" * 100, 100) == "x" * 100
    cut = clean("x" * 5_000, 100)
    assert len(cut) == 100 and cut.endswith("... [cut: 5000 characters]")
