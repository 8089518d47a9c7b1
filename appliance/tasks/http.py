"""Requests over HTTP: one call, all pages of a list, and downloads, with credentials that go to no other host."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from appliance.core import masking
from appliance.core.secrets import Secret
from appliance.kit import clock
from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed, needed_path, resolved, revealed
from appliance.tasks.library.drafts import draft
from appliance.tasks.library.errors import (
    AccessDenied,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.interruption import interruptible
from appliance.tasks.library.task import LibraryTask, TaskOptions, task_options

if TYPE_CHECKING:
    import httpx2

__all__ = ["Basic", "Bearer", "ClientCredentials", "Downloaded", "HttpDownload", "HttpPages", "HttpRequest", "Pages"]

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be repeated, as HTTP defines them."""
_BUSY = (429, 503)
_TRY_AGAIN = (408, 429, 502, 503, 504)
_MOST_WAITS, _LONGEST_WAIT = 5, 120.0
_MOST_SHOWN = 300
_CHUNK = 1024 * 1024
Values = Mapping[str, str | Secret]


@dataclass(frozen=True)
class Basic:
    """A user and the secret with the password."""

    user: str
    password: Secret

    def __post_init__(self) -> None:
        credential("password", self.password)


@dataclass(frozen=True)
class Bearer:
    """A secret with a token."""

    token: Secret

    def __post_init__(self) -> None:
        credential("token", self.token)


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2: the client gets a token from `token_url` for each task run."""

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None

    def __post_init__(self) -> None:
        credential("client_secret", self.client_secret)


Credentials = Basic | Bearer | ClientCredentials


class HttpOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    headers: Values | None
    auth: Credentials | None
    request_timeout: float
    ca_file: str | Path | None


class HttpTask(LibraryTask):
    """`headers` and `auth` are for the host of `url` alone: after a redirect elsewhere, neither `auth` nor headers with secrets are sent.

    `request_timeout` is how many seconds the server may take for each part of its answer; `ca_file` has the certificates to trust.
    Requests to busy servers (429 and 503 with `Retry-After`) are repeated up to five times, when the server says.
    """

    def __init__(self, values: Values | None = None, **options: Unpack[HttpOptions]) -> None:
        headers, auth = options.pop("headers", None), options.pop("auth", None)
        timeout, ca_file = options.pop("request_timeout", 60.0), options.pop("ca_file", None)
        super().__init__(values, headers, vars(auth) if auth is not None else None, **task_options(options))
        self.headers, self.auth, self.request_timeout, self.ca_file = headers, auth, timeout, ca_file


class HttpRequest(HttpTask):
    """Sends one request. The result is the status code, or with `content` the body of the answer as `"json"`, `"text"` or `"bytes"`.

    An answer outside of 200 to 299 fails the task. Only methods that may be repeated (not POST and PATCH) are retried when the answer gets lost.
    """

    def __init__(
        self,
        url: str | None = None,
        method: str = "GET",
        params: Values | None = None,
        json: Any = None,
        data: Mapping[str, str | Secret] | str | bytes | None = None,
        content: Literal["json", "text", "bytes"] | None = None,
        **options: Unpack[HttpOptions],
    ) -> None:
        """Takes `headers`, `auth`, `request_timeout`, `ca_file`, and the options of Task, too."""
        secrets = {**(params or {}), **{f"{key} of data": value for key, value in _mapping(data).items()}}
        super().__init__(secrets, **options)
        self.url, self.method, self.params, self.json, self.data, self.content = (
            url,
            method,
            params,
            json,
            data,
            content,
        )

    @defaults_from_attrs("url", "method", "params", "json", "data")
    def run(
        self,
        url: str | None = None,
        method: str | None = None,
        params: Values | None = None,
        json: Any = None,
        data: Mapping[str, str | Secret] | str | bytes | None = None,
    ) -> Any:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        body: dict[str, Any] = {} if json is None else {"json": json}
        if data is not None:
            body |= {"content": data} if isinstance(data, str | bytes) else {"data": resolved(data)}
        with requests_to(self, needed(self, "url", url)) as session:
            answer = session.ask(needed(self, "method", method).upper(), session.url, params=resolved(params), **body)
            if self.content == "json":
                return _document(answer)
            return {None: answer.status_code, "text": answer.text, "bytes": answer.content}[self.content]


class Pages(TypedDict):
    """What HttpPages has written."""

    path: str
    items: int
    pages: int


class HttpPages(HttpTask):
    """Gets all items of a list that comes in pages. The result is the items, or with `path`, a file with one JSON text a line, where they are.

    `items` is where a page has its list: `"data.rows"`; by default, the page is the list. The next page is at the address of the `Link` header, or where
    `next_page` is in the document: an address, or with `cursor`, a value for the query parameter of that name. With `page`, the query parameter of that
    name counts pages from 1 until one is empty. `per_second` limits the requests.
    """

    def __init__(
        self,
        url: str | None = None,
        params: Values | None = None,
        items: str | None = None,
        next_page: str | None = None,
        cursor: str | None = None,
        page: str | None = None,
        path: str | Path | None = None,
        per_second: float | None = None,
        most_pages: int = 10_000,
        **options: Unpack[HttpOptions],
    ) -> None:
        """Takes `headers`, `auth`, `request_timeout`, `ca_file`, and the options of Task, too."""
        super().__init__(params, **options)
        self.url, self.params, self.items, self.path = url, params, items, path
        self.next_page, self.cursor, self.page = next_page, cursor, page
        self.per_second, self.most_pages = per_second, most_pages

    @defaults_from_attrs("url", "params", "path")
    def run(
        self, url: str | None = None, params: Values | None = None, path: str | Path | None = None
    ) -> list[Any] | Pages:
        """Raises Unreachable, AccessDenied or Refused."""
        with requests_to(self, needed(self, "url", url)) as session:
            pages = self._pages(session, resolved(params))
            if path is None:
                return [item for page in pages for item in page]
            items, number = 0, 0
            with draft(Path(path)) as file:
                for number, page in enumerate(pages, 1):  # noqa: B007 - it is the number of pages afterwards
                    items += len(page)
                    file.writelines(f"{json.dumps(item)}\n".encode() for item in page)
            return {"path": str(path), "items": items, "pages": number}

    def _pages(self, session: _Session, params: dict[str, str]) -> Iterator[list[Any]]:
        url, number = session.url, 1
        for _ in range(self.most_pages):
            own = {self.page: str(number)} if self.page else {}
            answer = session.ask("GET", url, params={**params, **own})
            document = _document(answer)
            items = document if self.items is None else _at(document, self.items)
            if not isinstance(items, list):
                raise Refused(f"The page at {_place(url)} has no list of items; set `items` to where it is.")
            yield items
            following = self._next(answer, document)
            number += 1
            if not (items if self.page else following):
                return
            if following and self.cursor:
                params = {**params, self.cursor: str(following)}
            elif following:
                url, params = session.joined(url, str(following)), {}
            if self.per_second:
                session.wait(1 / self.per_second)
        raise Refused(f"The list at {_place(url)} has more than {self.most_pages} pages; set most_pages.")

    def _next(self, answer: httpx2.Response, document: Any) -> Any:
        if self.page:
            return None
        if self.next_page is not None:
            return _at(document, self.next_page)
        return answer.links.get("next", {}).get("url")


class Downloaded(TypedDict):
    """What HttpDownload has written."""

    path: str
    bytes: int
    sha256: str


class HttpDownload(HttpTask):
    """Downloads to a file, which is there only once it is complete, and has the hash `sha256` if one is given."""

    def __init__(
        self,
        url: str | None = None,
        path: str | Path | None = None,
        params: Values | None = None,
        sha256: str | None = None,
        **options: Unpack[HttpOptions],
    ) -> None:
        """Takes `headers`, `auth`, `request_timeout`, `ca_file`, and the options of Task, too."""
        super().__init__(params, **options)
        self.url, self.path, self.params, self.sha256 = url, path, params, sha256

    @defaults_from_attrs("url", "path", "params", "sha256")
    def run(
        self,
        url: str | None = None,
        path: str | Path | None = None,
        params: Values | None = None,
        sha256: str | None = None,
    ) -> Downloaded:
        """Raises Unreachable, AccessDenied or Refused, also if the hash is another one."""
        target = needed_path(self, "path", path)
        digest, size = hashlib.sha256(), 0
        with requests_to(self, needed(self, "url", url)) as session, draft(target) as file:
            for chunk in session.stream(resolved(params)):
                size += file.write(chunk)
                digest.update(chunk)
            if sha256 is not None and digest.hexdigest() != sha256.lower():
                place = _place(session.url)
                raise Refused(f"What was downloaded from {place} has the SHA-256 {digest.hexdigest()}, not {sha256}.")
        return {"path": str(target), "bytes": size, "sha256": digest.hexdigest()}


class _Session:
    """The requests of one task run to one host."""

    def __init__(self, task: HttpTask, client: httpx2.Client, url: str) -> None:
        self.url = url
        self._task, self._client = task, client
        self._stopped = threading.Event()
        self._sockets: list[Any] = []
        self._credentials: dict[str, str] = {}
        self._headers = resolved(task.headers)
        self._secret_headers = {key.lower() for key, value in (task.headers or {}).items() if isinstance(value, Secret)}
        self._origin = _origin(client.build_request("GET", url).url)
        client.event_hooks = {"request": [self._keep_from_strangers]}

    def sign_in(self) -> None:
        auth = self._task.auth
        if isinstance(auth, Bearer):
            self._credentials = {"authorization": f"Bearer {revealed(auth.token)}"}
        elif isinstance(auth, Basic):
            self._credentials = {"authorization": _basic(auth.user, auth.password)}
        elif isinstance(auth, ClientCredentials):
            form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
            asking = {"authorization": _basic(auth.client_id, auth.client_secret)}
            try:
                answer = self._sent("POST", auth.token_url, True, data=form, headers=asking)
            except Refused as error:
                raise AccessDenied(f"No token was given: {error}") from None
            token = _at(_document(answer), "access_token")
            if not isinstance(token, str):
                raise Refused(f"The answer of {_place(auth.token_url)} has no access_token.")
            self._credentials = {"authorization": f"Bearer {revealed(token)}"}

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx2.Response:
        """The answer, if it is a good one; requests to busy servers are repeated."""
        all_headers = {**(headers or {}), **self._headers, **self._credentials}
        return self._sent(method, url, method in _HARMLESS, headers=all_headers, **_without_empty(more))

    def stream(self, params: dict[str, str]) -> Iterator[bytes]:
        headers = {**self._headers, **self._credentials}
        for last in (*[False] * _MOST_WAITS, True):
            with self._client.stream(
                "GET", self.url, headers=headers, extensions=self._extensions(), **_without_empty({"params": params})
            ) as answer:
                if answer.is_success:
                    with _sentences(self.url, True):
                        yield from answer.iter_bytes(_CHUNK)
                    return
                answer.read()
                pause = None if last else _pause(answer)
                if pause is None:
                    raise _problem(answer, True)
            self.wait(pause)

    def joined(self, url: str, following: str) -> str:
        """The address of the next page. Raises Refused if it is on another host, which must not get the credentials."""
        import httpx2

        new = httpx2.URL(url).join(following)
        if _origin(new) != self._origin:
            raise Refused(f"The next page of {_place(url)} is on another host, {new.host}.")
        return str(new)

    def wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Wake whatever thread waits for the server: closing the client would not."""
        self._stopped.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(2)

    def _sent(self, method: str, url: str, harmless: bool, **more: Any) -> httpx2.Response:
        for last in (*[False] * _MOST_WAITS, True):
            with _sentences(url, harmless):
                answer = self._client.request(method, url, extensions=self._extensions(), **more)
            if answer.is_success:
                return answer
            pause = None if last else _pause(answer)
            if pause is None:
                raise _problem(answer, harmless)
            self._task.logger.info("%s is busy; waiting %g s.", _place(url), pause)
            self.wait(pause)
        raise AssertionError

    def _extensions(self) -> dict[str, Callable[[str, dict[str, Any]], None]]:
        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._sockets.append(info["return_value"].get_extra_info("socket"))

        return {"trace": trace}

    def _keep_from_strangers(self, request: httpx2.Request) -> None:
        if _origin(request.url) != self._origin:
            for name in self._secret_headers:
                request.headers.pop(name, None)


@contextmanager
def requests_to(task: HttpTask, url: str) -> Iterator[_Session]:
    import ssl

    import httpx2

    trust: Any = True if task.ca_file is None else ssl.create_default_context(cafile=str(task.ca_file))
    timeout = httpx2.Timeout(task.request_timeout, connect=min(10.0, task.request_timeout))
    with _sentences(url, True), httpx2.Client(verify=trust, timeout=timeout, follow_redirects=True) as client:
        session = _Session(task, client, url)
        with interruptible(task, session.stop):
            session.sign_in()
            yield session


@contextmanager
def _sentences(url: str, harmless: bool) -> Iterator[None]:
    """Errors of the client, as sentences without the query of the address. `harmless` says that the request may be repeated."""
    import httpx2

    try:
        yield
    except TaskLibraryError:
        raise
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        raise Unreachable(f"{_place(url)} can't be reached: {first_line(error)}.") from None
    except httpx2.TransportError as error:
        kind = Unreachable if harmless else ConnectionLost
        raise kind(f"The connection to {_place(url)} broke: {first_line(error)}.") from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.HTTPError) as error:
        raise Refused(f"{_place(url)} can't be used: {first_line(error)}.") from None


def _problem(answer: httpx2.Response, harmless: bool) -> TaskLibraryError:
    said = " ".join(answer.text.split())[:_MOST_SHOWN].rstrip(".")
    place, status = _place(str(answer.request.url)), answer.status_code
    sentence = f"{place} answered with {status} {answer.reason_phrase}".rstrip() + (f": {said}." if said else ".")
    if status in (401, 403):
        return AccessDenied(sentence)
    if status in _TRY_AGAIN and (harmless or status in _BUSY):
        return Unreachable(sentence)
    return Refused(sentence, status)


def _pause(answer: httpx2.Response) -> float | None:
    """How many seconds to wait before the request may be repeated, if the server says so."""
    said = answer.headers.get("retry-after")
    if answer.status_code not in _BUSY or said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = (parsedate_to_datetime(said) - clock.now()).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds <= _LONGEST_WAIT else None


def _document(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        place = _place(str(answer.request.url))
        raise Refused(f"The answer of {place} is not JSON: {answer.headers.get('content-type', 'no type')}.") from None


def _at(document: Any, path: str) -> Any:
    """The value at a path such as `data.next`; None if there is none."""
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _basic(user: str, password: Secret) -> str:
    text = base64.b64encode(f"{user}:{revealed(password)}".encode()).decode()
    revealed(text)  # masks this form, too
    return f"Basic {text}"


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _place(url: str) -> str:
    """The address without user, password, query and fragment, which may be secret; if its path is, too, only the host."""
    plain = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = plain.partition("://")
    if not separator:
        return plain
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if "@" in path:  # of a password that has a slash, perhaps
        return f"{scheme}://{host if host.rpartition(':')[2].isdigit() else host.partition(':')[0]}/{masking.MASK}"
    place = f"{scheme}://{host}{slash}{path}"
    return place if masking.mask(place) == place else f"{scheme}://{host}/{masking.MASK}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _without_empty(options: dict[str, Any]) -> dict[str, Any]:
    """An empty mapping of parameters would remove the query that an address has."""
    return {key: value for key, value in options.items() if key != "params" or value}
