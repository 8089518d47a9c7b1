"""The words that people meet are English that a native engineer would write: a short list of phrases that may not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PAGES = ("docs/pages", "docs/dev", "README.md", "CHANGELOG.md", "DECISIONS.md", "CONTRIBUTING.md")
CODE = (
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("appliance", "appliance/server")
        for path in (ROOT / folder).iterdir()
        if path.suffix == ".py" or (path.name != "server" and (path / "__init__.py").exists())
    ),
    "deploy/example",
    "ui/src",
)
GENERATED = {"static", "site", "generated"}

BANNED = {
    # phrase: what to write instead
    r"at most so many|\bso many (at once|in a minute|of the newest|items)": "Maximum number of ...",
    r"\bso much (may|runs?|at)\b|\bby so much\b": "how many",
    r"\bhow (much|many)( may)? runs? at a time": "how many run at once",
    r"\bby (itself|themselves)\b": "automatically, or: alone",
    r"\b(is|are|was|were) asked again\b": "retries",
    r"\b(is|are|was|were) told\b": "is asked to, learns, is reported",
    r"\bis to be told\b|\btells? of\b": "says, describes",
    r"\bwhoever (asks|comes|has|holds|listens|may|reads|restarts|waits|wants|writes)": "anyone who, the caller, the next one",
    r"\b(what|which) runs( already)? goes on|\bgoes? on (then|later|meanwhile|there|from there|by)\b": "continues",
    r"\blets? [\w' ]{1,30} (go on|be due)\b": "resumes, makes it due",
    r"\bpast lack|\blacks? of the\b|\bthat [\w ]+ (of the past|of that flow) lack": "missing runs for past due times",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bbear(s|ing)\b": "has, is named, carries",
    r"\bcom(e|es|ing) into being\b|\bcame into being\b": "is created",
    r"\bbent\b": "coerced",
    r"\bat the most\b": "at most",
    r"\bfor ever\b": "forever",
    r"\banew\b": "again",
    r"\bif need be\b": "if necessary",
    r"\bso long after\b": "this long after",
    r"\bof (ours|yours)\b": "our own, your own",
    r"\b(become|becomes|became) of\b": "what happens to",
    r"\b(is|are|was|were) waited for\b": "waits for",
    r"\b(server|appliance|database|Postgres|agent|it|that|services?) (is|was|were|are) away\b": "is down, can't be reached",
    r"\bwhat of (it|them|a|the)\b": "which part of",
    r"\bwhat (did|does) not succeed of\b": "the unsuccessful tasks of",
    r"\bthe same again (will|may|changes)\b": "repeating the request",
    r"\b(that|which|what) (is|are) no (?!longer|more\b|such)": "that is not a",
    r"\bknows? no\b": "doesn't know",
    r"\bat the end stands?\b|\bstand below\b": "ends with, is below",
    r"\blook into (its|the) log\b": "check the log",
    r"\basks nobody\b|\bnobody (in|asks)\b": "no one",
    r"\bis to stop\b": "must stop",
    r"\b(is|are|was|were) at work\b": "is running, is active",
    r"\bwhere (\w+ ){1,3}lies?\b": "where ... is, where ... is stored",
    r"\bwritten down\b": "recorded, written to disk",
    r"\bput(s|ting)? (it |them )?aside\b": "archive, set apart",
    r"\bwhat (is|was) (named|given|left out)\b": "the fields that are set, omitted fields",
}

SAMPLES = (
    "At most so many.",
    "So much may run at a time.",
    "Limits how much runs at a time.",
    "Maintenance ends by itself.",
    "It is asked again when it fails.",
    "Why it waits is told when it is read.",
    "The metric tells of the disk.",
    "Whoever asks gets an answer.",
    "What runs goes on.",
    "Lets a paused run go on.",
    "The runs that due times of the past lack.",
    "Takes the mended flow.",
    "The header that every answer bears.",
    "No such route can come into being.",
    "Types are not bent.",
    "Ten seconds at the most.",
    "0 keeps rows for ever.",
    "The loop begins anew.",
    "Over midnight if need be.",
    "Deleted so long after they ended.",
    "A fault of ours.",
    "What becomes of missed times.",
    "A server in maintenance is waited for.",
    "The server was away.",
    "What of it holds something.",
    "What did not succeed of a run.",
    "The same again will do.",
    "A value that is no task.",
    "The page knows no flow.",
    "At the end stands a line.",
    "Look into its log.",
    "A route that asks nobody in.",
    "The agent is to stop.",
    "A run is at work.",
    "The place where results lie.",
    "The exit code could not be written down.",
    "Its files are put aside.",
    "What is left out stays.",
)
"""One for each phrase above, so that none of them is a pattern that can't match."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What people read in a file, with the line where it begins: whole pages, but only the strings of Python."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield 1, source
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def offences(line: int, text: str) -> Iterator[str]:
    """Each banned phrase in a text, even when it is broken over lines."""
    for pattern, better in BANNED.items():
        for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE):
            place = line + text.count("\n", 0, match.start())
            yield f"{place}: {' '.join(match[0].split())!r}; write: {better}"


def files(root: Path, entry: str) -> Iterator[Path]:
    """The file, or every file of the folder that has words for people and is written by hand."""
    path = root / entry
    for file in [path] if path.is_file() else sorted(path.rglob("*.*")):
        if file.suffix in {".md", ".py", ".ts", ".tsx"} and not GENERATED & set(file.parts):
            yield file


def findings(root: Path, entry: str) -> list[str]:
    return [
        f"{file.relative_to(root)}:{offence}"
        for file in files(root, entry)
        for line, text in texts(file)
        for offence in offences(line, text)
    ]


@pytest.mark.parametrize("entry", (*PAGES, *CODE))
def test_sentences_are_idiomatic(entry: str) -> None:
    assert list(files(ROOT, entry)), f"{entry} has moved; scan its new place"
    offending = findings(ROOT, entry)
    assert not offending, "\n".join(["rewrite these sentences:", *offending])


def test_every_phrase_has_a_sample_that_it_finds() -> None:
    unmatched = [p for p in BANNED if not any(re.search(p, sample, re.IGNORECASE) for sample in SAMPLES)]
    assert not unmatched
    assert not [sample for sample in SAMPLES if not list(offences(1, sample))]


def test_pages_and_strings_are_scanned_but_not_names(tmp_path: Path) -> None:
    folder = tmp_path / "appliance"
    folder.mkdir()
    (folder / "page.md").write_text("# Title\n\nThe runs that due times of the\npast lack.\n")
    (folder / "module.py").write_text('anew = 1\n"""Is it told?\n\nThe loop begins anew."""\n# anew\n')
    (folder / "page.tsx").write_text("export const text = <p>At most so many.</p>\n")
    (folder / "static").mkdir()
    (folder / "static" / "page.md").write_text("anew")
    assert [finding.partition(";")[0] for finding in findings(tmp_path, "appliance")] == [
        "appliance/module.py:4: 'anew'",
        "appliance/page.md:3: 'that due times of the past lack'",
        "appliance/page.tsx:1: 'At most so many'",
    ]


def test_idiomatic_sentences_pass() -> None:
    text = "Maximum number to list. Retrying automatically. How many may run at once. Types are not coerced. 10 s for every request."
    assert not list(offences(1, text))
