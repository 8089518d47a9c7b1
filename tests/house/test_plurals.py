"""Numbers in sentences have nouns in their right form: a number that may be 1 goes through `counted`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from appliance.kit.plurals import counted

PACKAGE = Path(__file__).resolve().parents[2] / "appliance"
PLURAL = re.compile(
    r" (?:due )?(?:agents|characters|days|events|files|flows|announcements|hours|items|lines|minutes|runs|schedules|seconds|slots|tasks|times|versions)\b"
)
ALWAYS_MANY = {
    "appliance/engine/failures.py": "what is left out of a text is long",
    "appliance/server/domain/sanitize.py": "a text that is cut is long",
    "appliance/cli/flow_names.py": "one flow is no question",
    "appliance/cli/identifiers.py": "one run is no question",
    "appliance/server/actions/deletions.py": "one run is written out",
    "appliance/schedules/texts.py": "one date is written out",
    "appliance/server/db/reads/pages.py": "a wrong size is never 1",
    "appliance/kit/crash.py": "for tests",
    "appliance/engine/tracked/log_limit.py": "a rate per second of a window",
}


def findings(file: Path) -> list[str]:
    """Values directly before a plural noun, other than constants."""
    bad = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            bad += [f"{file.relative_to(PACKAGE.parent)}:{node.lineno}: {text}" for text in _of_a_log(node)]
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, after in zip(node.values, node.values[1:], strict=False):
            if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant):
                name = ast.unparse(before.value)
                if PLURAL.match(str(after.value)) and not name.split(".")[-1].isupper():
                    bad.append(f"{file.relative_to(PACKAGE.parent)}:{node.lineno}: {name}{after.value[:20]}")
    return bad


def _of_a_log(call: ast.Call) -> list[str]:
    """The text of a log record in which a value other than a constant stands before a plural noun."""
    text, *values = call.args or [None]
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str) or "%" not in text.value:
        return []
    pieces = re.split(r"%[-.\d]*[a-z]", text.value)[1:]
    return [
        text.value
        for value, after in zip(values, pieces, strict=False)
        if PLURAL.match(after) and not ast.unparse(value).isupper()
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1_000, "1,000 runs"), (1.0, "1 run"), (1.5, "1.5 runs")],
)
def test_a_noun_follows_its_number(number: float, text: str) -> None:
    assert counted(number, "run") == text


def test_a_plural_may_be_irregular() -> None:
    assert (counted(1, "retry", "retries"), counted(2, "retry", "retries")) == ("1 retry", "2 retries")


def test_no_sentence_puts_a_plural_after_a_number_that_may_be_one() -> None:
    bad = [
        line
        for file in sorted(PACKAGE.rglob("*.py"))
        if str(file.relative_to(PACKAGE.parent)) not in ALWAYS_MANY
        for line in findings(file)
    ]
    assert not bad, "\n".join(["use appliance.kit.plurals.counted:", *bad])
