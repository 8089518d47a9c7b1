"""Where a session began, in words that are safe to show whatever a request says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.server.auth.origins import origin_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS, LINUX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (X11; Linux x86_64)"
MAC, ANDROID = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X)"


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", "Safari on macOS"),
        (f"{ANDROID} {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            f"{IPHONE} AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (f"{LINUX} {WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"{LINUX} {WEBKIT}", "Browser on Linux"),
        *(("curl/8.5.0", "curl"), ("python-httpx/0.28.1", "python-httpx"), ("Mozilla/5.0", ""), ("", "")),
    ],
)
def test_a_browser_has_a_short_name(user_agent: str, browser: str) -> None:
    assert origin_of(user_agent, "").browser == browser


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "fe80::1%eth0"])
def test_an_address_is_kept(address: str) -> None:
    assert origin_of("", address).address == address


@given(st.text(), st.text())
def test_whatever_comes_is_short_and_printable(user_agent: str, address: str) -> None:
    origin = origin_of(user_agent, address)
    for text in (origin.browser, origin.address):
        assert len(text) <= 100 and text.isascii() and (text == "" or text.isprintable())
