"""A resolver that hangs, errs, or gives another address than before: clients wait for it for a bounded time, and ask again."""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from appliance.client import errors, library, names
from appliance.client.transport import Transport, path
from tests.unit.client.test_direct import OK, Scripted, scripted

NAME = "appliance.test"
REAL = socket.getaddrinfo


class Resolver:
    """Knows one name. `address` is where it leads; None: it does not answer. Everything else is asked of the system."""

    def __init__(self) -> None:
        self.address: str | None = "127.0.0.1"
        self.asked = 0
        self.go_on = threading.Event()

    def __call__(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host not in (NAME, NAME.encode()):
            return REAL(host, port, *rest, **options)
        if options.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "it is a name")
        self.asked += 1
        if self.address is None:
            self.go_on.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return REAL(self.address, port, *rest, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    monkeypatch.setattr(names, "SECONDS", 0.2)
    yield made
    made.go_on.set()


WAYS = ("direct", "by the library", "through a proxy")


@contextmanager
def transport(way: str, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
    """To the server by its name."""
    url = server.url.replace("127.0.0.1", NAME)
    if way == "through a proxy":
        monkeypatch.setenv("HTTP_PROXY", url)
        url = "http://elsewhere.test"
    http = library.opened(url, is_plain=True, is_near=False)._http if way == "by the library" else None
    with Transport(url, "secret", http, tries=1) as made:
        yield made


@pytest.mark.parametrize("way", WAYS)
def test_a_resolver_that_hangs_is_an_outage_within_the_time_limit(
    way: str, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.address = None
    with scripted(OK) as server, transport(way, server, monkeypatch) as to:
        for _ in range(3):
            with pytest.raises(errors.Unreachable, match="its name was not resolved within"):
                to.get(path("info"), dict)
        assert resolver.asked == 1  # no thread for each request is left behind
        resolver.address = "127.0.0.1"
        resolver.go_on.set()
        for _ in range(2):  # the lookup that hung may be the first one's
            try:
                assert to.get(path("info"), dict) == {}
                return
            except errors.Unreachable as error:
                assert "name resolution" in str(error)
    raise AssertionError("it does not recover")


@pytest.mark.parametrize("way", WAYS)
def test_a_server_is_found_at_another_address(way: str, resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the old one, nobody listens any more."""
    with scripted(OK, closes=True) as server, transport(way, server, monkeypatch) as to:
        assert to.get(path("info"), dict) == {}
        assert server.closed.wait(10)
        port = int(server.url.rpartition(":")[2])
        server.close()
        with pytest.raises(errors.Unreachable):
            to.get(path("info"), dict)
        resolver.address = "127.0.0.2"
        with closing(Scripted(OK, at=("127.0.0.2", port))) as moved:
            assert to.get(path("info"), dict) == {}
            assert len(moved.requests) == 1


def test_the_second_address_is_tried_if_the_first_refuses(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(OK) as server:
        port = int(server.url.rpartition(":")[2])
        both = [*REAL("127.0.0.3", port, type=socket.SOCK_STREAM), *REAL("127.0.0.1", port, type=socket.SOCK_STREAM)]
        monkeypatch.setattr(names, "addresses", lambda host, port: both)
        with transport("direct", server, monkeypatch) as to:
            assert to.get(path("info"), dict) == {}


def test_an_unknown_name_is_one_sentence() -> None:
    with pytest.raises(errors.Unreachable, match=r"can't be reached \(.*\); is it running\?"):
        Transport("http://nobody.invalid:1", tries=1).get(path("info"), dict)


def test_a_child_does_not_wait_for_a_lookup_of_its_parent(resolver: Resolver) -> None:
    resolver.address = None
    with pytest.raises(TimeoutError):
        names.addresses(NAME, 1)
    resolver.address = "127.0.0.1"
    child = multiprocessing.get_context("fork").Process(target=names.addresses, args=(NAME, 1))
    child.start()
    child.join(10)
    assert child.exitcode == 0


def test_names_are_looked_up_within_five_seconds() -> None:
    assert names.SECONDS == 5


def test_without_a_thread_for_it_a_name_is_looked_up_at_once(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    for _ in range(2):
        assert [address[4][:2] for address in names.addresses(NAME, 80)] == [("127.0.0.1", 80)]
    assert resolver.asked == 2
