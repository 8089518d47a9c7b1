"""Where a session began: the browser in a few words, and the address. It proves nothing; it helps people to tell their sessions apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOOKED_AT = 1_000
_BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Vivaldi", re.compile(r"\bVivaldi/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS|Chromium)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
"""In this order: most of them claim to be those that follow, too."""
_SYSTEMS = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("macOS", re.compile(r"\bMac(?:intosh| OS)\b")),
    ("Linux", re.compile(r"\b(?:Linux|X11)\b")),
)
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{1,100}")


@dataclass(frozen=True)
class Origin:
    """Both are printable and short, and empty where nothing is known."""

    browser: str = ""
    address: str = ""


UNKNOWN = Origin()


def origin_of(user_agent: str, address: str) -> Origin:
    """From what a request says of itself, and from where it comes."""
    return Origin(_browser(user_agent[:_LOOKED_AT]), address if _ADDRESS.fullmatch(address) else "")


def _browser(user_agent: str) -> str:
    """Such as "Firefox on Linux", or a program's name; nothing else of the header is kept."""
    program = _PROGRAM.match(user_agent)
    name = _first(_BROWSERS, user_agent) or (program[0] if program and program[0] != "Mozilla" else "")
    system = _first(_SYSTEMS, user_agent)
    return f"{name or 'Browser'} on {system}" if system else name


def _first(known: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str) -> str:
    return next((name for name, pattern in known if pattern.search(user_agent)), "")
