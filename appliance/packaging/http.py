"""Flow code in a folder that is served over HTTP: fetched with GET, and uploaded with PUT if the server takes that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from appliance.kit import clock, options
from appliance.packaging.archived import MOST_BYTES, ArchivedStorage, Ask, Gone
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import code_addresses
from appliance.protocol.code_places import HttpCode

_PATIENCE = 20.0
_LONGEST = 300.0
_MOST_REDIRECTS = 5
_HEADERS = 'a JSON object with headers, such as {"Authorization": "Bearer ..."}'


class Http(ArchivedStorage[HttpCode]):
    """Archives below `url`. `headers` names a secret with the headers to send: a JSON object. `upload`: the registration puts the archive there."""

    code = HttpCode

    def __init__(self, url: str, *, upload: bool = True, headers: str | None = None) -> None:
        """Raises ValueError, with a sentence, for an address of another form."""
        options.text("url", url)
        options.text("headers", headers)
        options.flag("upload", upload)
        if problem := code_addresses.http_problem(url):
            raise ValueError(problem)
        self.url, self.uploads, self.headers = url, upload, headers

    def describe(self) -> dict[str, Any]:
        return {"type": "http", "url": self.url, "headers": self.headers}

    @classmethod
    def shelf(cls, code: HttpCode, ask: Ask) -> Served:
        return Served(code.url, {} if code.headers is None else _headers(ask(code.headers)))


class Served:
    """The files below one address. Redirects are followed on the same host alone."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url, self._headers = url.rstrip("/") + "/", headers
        self._is_plain = url.startswith("http:")  # needs no certificates, and loading them takes longer than a request

    def has(self, name: str) -> bool:
        try:
            self._ask("HEAD", name)
        except Gone:
            return False
        return True

    def put(self, name: str, content: bytes) -> None:
        self._ask("PUT", name, content)

    def get(self, name: str) -> bytes:
        return self._ask("GET", name)

    def _ask(self, method: str, name: str, content: bytes | None = None) -> bytes:
        import httpx2

        url, headers = self._url + name, {**self._headers, "Accept-Encoding": "identity"}
        timeout = httpx2.Timeout(_PATIENCE)
        try:
            with httpx2.Client(timeout=timeout, follow_redirects=False, verify=not self._is_plain) as client:
                for _ in range(_MOST_REDIRECTS):
                    with client.stream(method, url, headers=headers, content=content) as answer:
                        if not answer.has_redirect_location:
                            return self._read(answer, method)
                        url = self._next(url, answer.headers["location"])
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unreachable(f"The address {self._url} can't be reached: {type(error).__name__}.") from None
        raise CodeMissing(f"The address {self._url} redirects too often.")

    def _read(self, answer: Any, method: str) -> bytes:
        status = answer.status_code
        if status in (404, 410):
            raise Gone(f"The code is not at {self._url} any more: register the flow again.")
        if status == 429 or status >= 500:
            raise Unreachable(f"The address {self._url} answers with status {status}.")
        if status >= 300:
            what = "does not take the upload" if method == "PUT" else "does not give the code"
            raise CodeMissing(f"The address {self._url} {what}: it answers with status {status}.")
        content, deadline = bytearray(), clock.monotonic() + _LONGEST
        for part in answer.iter_raw():
            content += part
            if len(content) > MOST_BYTES:
                raise CodeMissing(
                    f"The archive at {self._url} is larger than {MOST_BYTES // 1024**2} MB: register the flow again."
                )
            if clock.monotonic() > deadline:
                raise Unreachable(f"The address {self._url} takes longer than {_LONGEST:.0f} s to give the code.")
        return bytes(content)

    def _next(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if urlsplit(target)[:2] != urlsplit(self._url)[:2]:
            raise CodeMissing(
                f"The address {self._url} redirects to another host, which is not followed; register the flow with that address."
            )
        return target


def _headers(text: str) -> dict[str, str]:
    try:
        headers = json.loads(text)
    except ValueError:
        headers = None
    named = isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
    plain = named and all(part.isascii() and part.isprintable() for pair in headers.items() for part in pair)
    if not plain:
        raise LoadError(f"The secret with the headers must be {_HEADERS}.")
    return dict(headers)
