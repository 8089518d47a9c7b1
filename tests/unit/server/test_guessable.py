"""Passwords that are easy to guess are refused, whatever is put around them; those that nobody guesses are not."""

from __future__ import annotations

import secrets
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.server.auth import guessable, passwords
from appliance.server.errors import Invalid

COMMON = sorted(guessable.common_passwords())
WORDY = [word for word in COMMON if word.isalpha()]
PATIENTLY = settings(deadline=None)
PADDING = st.text(string.digits + "!?.,-_ #%&*+", max_size=8)


def refused(password: str, username: str = "maria") -> bool:
    try:
        passwords.check_strength(password, username)
    except Invalid:
        return True
    return False


def test_the_list_is_sorted_in_lower_case_and_whole() -> None:
    lines = [line for line in guessable.LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines == sorted(set(lines)) and len(lines) == 10_000
    assert all(line == line.strip().casefold() for line in lines)
    assert max(map(len, lines)) <= 24


@PATIENTLY
@given(st.sampled_from(COMMON), st.booleans(), st.sampled_from(["", " ", "\t", "  "]))
def test_a_common_password_is_refused_however_it_is_written(word: str, is_upper: bool, blank: str) -> None:
    assert guessable.reason(blank + (word.upper() if is_upper else word.title()) + blank, "maria")


@PATIENTLY
@given(PADDING, st.sampled_from(WORDY), PADDING)
def test_digits_and_signs_around_a_common_password_do_not_help(before: str, word: str, after: str) -> None:
    assert refused(before + word + after)


@PATIENTLY
@given(st.sampled_from(COMMON), st.integers(2, 5), st.sampled_from(["", "-", " ", "1"]))
def test_nor_does_repeating_it(word: str, times: int, between: str) -> None:
    assert refused(between.join([word] * times))


@PATIENTLY
@given(st.sampled_from(["maria", "maria.rossi", "maria@example.org"]), PADDING, PADDING)
def test_nor_the_own_name(name: str, before: str, after: str) -> None:
    assert refused(f"{before}{name.upper()}{after}", name)
    assert refused(f"{before}maria{after} and more", "maria@example.org")


@PATIENTLY
@given(PADDING, PADDING, st.sampled_from(["", "admin", "password", "Appliance"]))
def test_nor_the_products_name(before: str, after: str, more: str) -> None:
    assert refused(f"{before}Appliance{after}{more}")


@PATIENTLY
@given(st.characters(min_codepoint=33, exclude_categories=["Cs"]), st.integers(1, 200))
def test_one_character_is_refused(character: str, times: int) -> None:
    assert refused(character * times)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "aaaaaaaaaaaa",
            "123456789012",
            "210987654321",
            "abcdefghijkl",
            "qwertyuiopas",
            "aaaabbbbcccc",
            "abcdef123456",
        ),
        *("abcabcabcabc", "password1password2", "P@ssw0rd2024!", "$unshine2024!", "12341234123412", "monkey!monkey?"),
        *(
            "Administrator1",
            "qwerty-123456",
            "1q2w3e4r5t6y",
            "appliance-admin",
            "ci" * 6,
            "password\u00a0\u00a0\u00a0\u00a0",
        ),
    ],
)
def test_the_usual_ways_around_a_rule_are_refused(password: str) -> None:
    assert refused(password, "ci")


@PATIENTLY
@given(st.integers(12, 40))
def test_what_a_generator_makes_is_taken(length: int) -> None:
    for letters in (string.ascii_letters + string.digits, string.printable[:94], string.hexdigits[:16]):
        password = "".join(secrets.choice(letters) for _ in range(length))
        assert guessable.reason(password, "maria") == "", password


VARIED = [word for word in WORDY if len(set(word)) > 3 and guessable._sequences(word) * 2 > len(word)]
"""Words that are not sequences, such as qwerty or aabbcc, of which several in a row are still sequences."""


@PATIENTLY
@given(st.lists(st.sampled_from(VARIED), min_size=4, max_size=6, unique=True))
def test_several_words_in_a_row_are_taken(words: list[str]) -> None:
    taken = " ".join(word for word in words if word != "maria")
    assert guessable.reason(taken, "maria") == "", taken


@PATIENTLY
@given(st.text(max_size=40), st.text(string.ascii_lowercase, min_size=1, max_size=20))
def test_every_text_has_an_answer(password: str, username: str) -> None:
    assert isinstance(guessable.reason(password, username), str)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "The password is too short; use at least 12 characters."),
        ("Password 2024!", "The password is too easy to guess, because it is a common password, perhaps with digits or signs"
         " around it; use several random words instead."),
        ("maria was here", "The password is too easy to guess, because it contains the user's name; use several random words instead."),
        ("appliance 2024", "The password is too easy to guess, because it contains little more than the product's name; use several random"
         " words instead."),
        ("x" * 2000, "The password is too long; use at most 1024 bytes."),
    ],
)  # fmt: skip
def test_the_sentence_says_why_and_what_to_do(password: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        passwords.check_strength(password, "maria")
    assert caught.value.message == sentence


def test_for_development_only_the_bytes_are_counted() -> None:
    passwords.check_strength("x", "maria", development=True)
    for password in ("", "x" * 2000):
        with pytest.raises(Invalid):
            passwords.check_strength(password, "maria", development=True)
