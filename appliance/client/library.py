"""Requests by an HTTP library, which knows encryption and proxies. It is imported on the first request, so that importing the SDK stays cheap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.client import names, trust
from appliance.client.answers import Response, plain
from appliance.client.errors import ClientError
from appliance.client.exchange import CONNECT_TIMEOUT, READ_TIMEOUT, Lost, TooLong, parts, read


class Library:
    """A client of httpx2."""

    def __init__(self, http: Any) -> None:
        self._http = http

    def exchange(
        self, method: str, path: str, query: Mapping[str, Any], content: bytes, headers: Mapping[str, str]
    ) -> tuple[Response, bytes]:
        """One request, and the whole of its answer. Raises Lost, and BadUrl."""
        import httpx2

        if content:
            headers = {**headers, "Content-Length": str(len(content))}
        sent = parts(content) if content else None
        options = {"content": sent, "params": query, "headers": headers, "extensions": {"trace": _on_step}}
        try:
            with self._http.stream(method, path, **options) as response:
                return response, read(response.iter_bytes())
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise BadUrl from error
        except TooLong:
            raise
        except (httpx2.RequestError, httpx2.CookieConflict, OSError, ValueError) as error:
            raise Lost(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _on_step(step: str, facts: Mapping[str, Any]) -> None:
    """The library resolves names without a time limit, so that a name is looked up before it does: the server's, or that of a proxy. Raises OSError."""
    if step == "connection.connect_tcp.started":
        names.addresses(facts["host"], facts["port"])
    elif step == "connection.connect_tcp.complete":
        names.hold_little_back(facts["return_value"].get_extra_info("socket"))


class BadUrl(Exception):
    """No request can be sent to such a URL."""


def opened(url: str, *, is_plain: bool, is_near: bool) -> Library:
    """Connections to a URL. `is_plain`: without encryption; `is_near`: to this machine, with no proxy in between. Raises Untrusted if the
    authorities to trust can't be read, and ClientError if there is a proxy that can't be used."""
    import httpx2

    try:
        return Library(
            httpx2.Client(
                base_url=url,
                timeout=httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
                verify=not is_plain,  # plain HTTP needs no certificates, and loading them takes longer than a request
                trust_env=not is_near,
            )
        )
    except OSError as error:
        raise trust.unusable(plain(url), error) from error
    except (ImportError, ValueError) as error:
        raise ClientError(
            "The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names is of a kind that can't be used; set the variable to an address that begins with http://."
        ) from error
