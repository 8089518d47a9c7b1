"""Clients send nothing to a server that they don't trust, and say in one sentence what to do. What they trust can be exchanged while they run."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from appliance.agents.package_index import IndexUnreachable, PackageIndex
from appliance.client import errors, trust
from appliance.client.transport import Transport, path
from tests import certificates
from tests.certificates import EXPIRED, NOT_YET, Authority
from tests.unit.client.test_direct import OK, _request

HANDSHAKE = 0x16
"""The first byte of a connection on which TLS begins."""
HERE = "127.0.0.1"


class Secured:
    """A server with TLS, or none if it has no `tls`. `first_bytes` are those of its connections."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.tls, self.first_bytes, self.requests = tls, bytearray(), list[bytes]()
        self._socket = socket.create_server((HERE, 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"https://{HERE}:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(10)
                self.first_bytes += connection.recv(1, socket.MSG_PEEK)
                if self.tls is None:
                    connection.recv(65536)
                    connection.sendall(OK)
                    continue
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    self.requests.append(_request(secured))
                    secured.sendall(OK)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv(trust.AUTHORITIES, str(made.file))
    return made


@pytest.fixture
def server(own: Authority) -> Iterator[Secured]:
    with closing(Secured(certificates.serving(own.issue(HERE)))) as made:
        yield made


def ask(to: Transport) -> str:
    """What is said about the server; empty: nothing, because it is trusted."""
    try:
        assert to.get(path("info"), dict) == {}
    except errors.Untrusted as error:
        return str(error)
    return ""


def about(server: Secured) -> str:
    with Transport(server.url, "secret", tries=1) as to:
        return ask(to)


def old(own: Authority, _folder: Path) -> ssl.SSLContext:
    context = certificates.serving(own.issue(HERE))
    certificates.make_old(context)
    return context


def signed(
    days: tuple[int, int] = certificates.VALID, place: str = HERE
) -> Callable[[Authority, Path], ssl.SSLContext]:
    return lambda own, _folder: certificates.serving(own.issue(place, days))


FAULTS: dict[str, tuple[Callable[[Authority, Path], ssl.SSLContext | None], str]] = {
    "expired": (signed(EXPIRED), "its certificate has expired; renew it on the server"),
    "early": (signed(NOT_YET), "its certificate is not valid yet; check the clock of this machine"),
    "other name": (
        signed(place="other.test"),
        "its certificate is for another name; set APPLIANCE_URL to a name in the certificate, or have one issued for 127.0.0.1",
    ),
    "other address": (signed(place="127.0.0.9"), "its certificate is for another name"),
    "self-signed": (
        lambda _own, folder: certificates.serving(certificates.self_signed(folder, HERE)),
        "its certificate is self-signed; add it to ",
    ),
    "another authority": (
        lambda _own, folder: certificates.serving(Authority(folder, "a stranger").issue(HERE)),
        "from an authority that this machine does not know; add the certificate of that authority to ",
    ),
    "old TLS": (old, "offers no version of TLS that is still safe; switch on TLS 1.2 or 1.3 on the server"),
    "no TLS": (lambda _own, _folder: None, "does not speak TLS at this address; check the host and the port"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_sent_to_a_server_that_is_not_trusted(fault: str, own: Authority, tmp_path: Path) -> None:
    tls, sentence = FAULTS[fault]
    with closing(Secured(tls(own, tmp_path))) as server:
        said = about(server)
        assert said.startswith(f"The server at {server.url} is not trusted: ") and sentence in said, said
        assert said.count(". ") == 0 and said.endswith(".") and "ssl" not in said.lower().replace("ssl_cert_file", "")
        assert set(server.first_bytes) == {HANDSHAKE}
        assert server.requests == []


def test_where_nothing_is_set_the_sentence_says_what_to_set(server: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trust.AUTHORITIES)
    assert "; set SSL_CERT_FILE to a PEM file with the certificate of that authority" in about(server)
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "can't be read (No such file"), ("", "contains no certificates"), ("x", "no certi")],
)
def test_a_file_of_authorities_that_is_unusable_is_one_sentence(
    content: str | None, sentence: str, server: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wrong.pem"
    monkeypatch.setenv(trust.AUTHORITIES, str(file))
    if content is not None:
        file.write_text(content)
    said = about(server)
    assert f"the file '{file}', which SSL_CERT_FILE names, " in said and sentence in said
    assert server.first_bytes == b""


def test_authorities_can_be_exchanged_while_a_client_runs(own: Authority, server: Secured, tmp_path: Path) -> None:
    new = Authority(tmp_path, "a new authority")
    with Transport(server.url, "secret", tries=1) as to:
        assert ask(to) == ""
        assert server.tls is not None
        server.tls.load_cert_chain(own.issue(HERE))
        assert ask(to) == ""
        server.tls.load_cert_chain(new.issue(HERE))
        assert "does not know" in ask(to)
        content = new.file.read_text()
        own.file.write_text(content[: len(content) // 2])  # somebody is writing it
        assert "contains no certificates" in ask(to)
        own.file.write_text(content)
        assert ask(to) == ""
    assert len(server.requests) == 3


def test_a_server_that_is_not_trusted_is_waited_for() -> None:
    assert issubclass(errors.Untrusted, errors.Unreachable)
    assert trust.refusal("https://appliance.test", errors.ClientError("of another kind")) is None


def test_what_openssl_says_otherwise_is_quoted() -> None:
    error = ssl.SSLCertVerificationError(1, "of a rare kind")
    error.verify_code, error.verify_message = 79, "invalid CA certificate"
    said = str(trust.refusal("https://appliance.test", error))
    assert "its certificate is not accepted (invalid CA certificate); replace it on the server" in said


@pytest.mark.parametrize("proxy", ["socks5://proxy.test:1080", "ftp://proxy.test"])
def test_a_proxy_of_another_kind_is_one_sentence(proxy: str, server: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with (
        Transport(server.url, "secret", tries=1) as to,
        pytest.raises(errors.ClientError, match="an address that begins"),
    ):
        ask(to)
    assert server.first_bytes == b""


def test_an_agent_that_asks_a_package_index_says_the_same(
    server: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.AUTHORITIES, str(tmp_path / "nothing.pem"))
    with pytest.raises(IndexUnreachable, match="which SSL_CERT_FILE names, can't be read"):
        PackageIndex(f"{server.url}/simple").has("shop", "1.0")
