"""An appliance on IPv6, and its health check behind the proxies of a site."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from appliance.cli import health as command
from appliance.cli import prepare
from appliance.config import load
from tests.e2e.appliance_process import Appliance, clean_environment, free_port

pytestmark = pytest.mark.slow

NO_WAY_OUT = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY")}


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="This machine has no IPv6.")
@pytest.mark.parametrize("host", [*(pytest.param(host, marks=pytest.mark.full) for host in ("::1", "::")), "[::1]"])
def test_an_ipv6_host_works_whole_embedded_agent_included(tmp_path: Path, host: str) -> None:
    appliance = Appliance(tmp_path / "data", APPLIANCE_HOST=host, **NO_WAY_OUT)
    appliance.url = f"http://[::1]:{appliance.port}"
    try:
        appliance.start()
        assert f"http://[::1]:{appliance.port}" in appliance.log()
        appliance.register("flows.py")
        appliance.wait_for(appliance.create_run("chain-200", pause=0.0), "SUCCESS", seconds=60)
        checked = appliance.cli("health", APPLIANCE_HOST=host, APPLIANCE_PORT=str(appliance.port), **NO_WAY_OUT)
        assert (checked.returncode, checked.stdout) == (0, f"The appliance at {appliance.url} is ready.\n")
        with socket.socket() as other:
            assert (other.connect_ex(("127.0.0.1", appliance.port)) == 0) is (host == "::")
    finally:
        appliance.end()


def test_what_does_not_run_is_not_healthy() -> None:
    problem = command._problem("127.0.0.1", free_port(), "http://x")
    assert problem == "The appliance at http://x can't be reached (Connection refused); is it running?"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (
            b'HTTP/1.1 503 X\r\nContent-Length: 54\r\n\r\n{"status":"not ready","reasons":["The disk is full."]}',
            "disk is full",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "is not an appliance"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}', "is not an appliance"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is not an appliance"),
    ],
)
def test_only_a_ready_appliance_is_healthy(answer: bytes, part: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert part in command._problem("127.0.0.1", listener.getsockname()[1], "http://x")
        thread.join()


@pytest.mark.parametrize(
    ("host", "url", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:4200", "127.0.0.1:4200"),
        ("0.0.0.0", "http://127.0.0.1:4200", "0.0.0.0:4200"),
        ("::", "http://[::1]:4200", "[::]:4200"),
        ("[::]", "http://[::1]:4200", "[::]:4200"),
        ("::1", "http://[::1]:4200", "[::1]:4200"),
        (" [fd00::7] ", "http://[fd00::7]:4200", "[fd00::7]:4200"),
        ("appliance.example", "http://appliance.example:4200", "appliance.example:4200"),
    ],
)
def test_a_host_has_brackets_where_a_port_follows(host: str, url: str, address: str) -> None:
    settings = load(clean_environment(APPLIANCE_HOST=host))
    assert (settings.local_url, settings.address) == (url, address)


@pytest.mark.parametrize("host", ["nowhere.invalid", "300.1.1.1", "::ffff:127.0.0.1", "*", "fe80::1%nope"])
def test_an_address_that_is_not_ours_is_a_sentence(host: str) -> None:
    with pytest.raises(prepare.StartError, match="Can't listen on") as caught:
        prepare.free_port(load(clean_environment(APPLIANCE_HOST=host)))
    assert "unknown error" not in caught.value.message.lower()
