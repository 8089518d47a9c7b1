"""Whose request it is: a trusted proxy's word counts, and nobody else's."""

from __future__ import annotations

import ipaddress

import pytest

from appliance import config
from appliance.server.web.hosts import refusal
from appliance.server.web.proxies import client_of

TRUSTED = tuple(ipaddress.ip_network(text) for text in ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("198.51.100.7", ["192.0.2.1"], "198.51.100.7"),  # not a proxy
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["203.0.113.9, 192.0.2.1"], "192.0.2.1"),  # the first was written by the client
        ("127.0.0.1", ["203.0.113.9", "192.0.2.1, 10.1.2.3"], "192.0.2.1"),
        ("127.0.0.1", ["203.0.113.9, nonsense, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("2001:db8::1", ["[2001:470::5]:4711"], "2001:470::5"),
        ("127.0.0.1", [",".join(["203.0.113.9"] * 5 + ["10.0.0.1"] * 1000)], "10.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("testclient", ["192.0.2.1"], "testclient"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy(peer: str, headers: list[str], client: str) -> None:
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", value.encode()) for value in headers]}
    found = client_of(scope, TRUSTED)
    assert found is not None and found[0] == client


def test_a_unix_socket_has_no_client() -> None:
    assert client_of({"client": None, "headers": [(b"x-forwarded-for", b"192.0.2.1")]}, TRUSTED) is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APPLIANCE_TRUSTED_PROXIES", "10.0.0.1, proxy.example.org"),
        ("APPLIANCE_TRUSTED_PROXIES", "*"),
        ("APPLIANCE_PUBLIC_URL", "appliance.example.org"),
        ("APPLIANCE_PUBLIC_URL", "https://user@appliance.example.org"),
    ],
)
def test_a_setting_that_can_not_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(config.SettingsError, match=f"{variable} can't contain"):
        config.load({variable: value})


def test_settings_of_proxies_and_addresses() -> None:
    settings = config.load(
        {
            "APPLIANCE_TRUSTED_PROXIES": "10.0.0.1, 192.168.7.9/24,",
            "APPLIANCE_PUBLIC_URL": "https://Appliance.Example.org/tools/, http://appliance:4200",
        }
    )
    assert [str(network) for network in settings.proxies] == ["10.0.0.1/32", "192.168.7.0/24"]
    assert settings.public_hosts == {"appliance.example.org", "appliance"}


@pytest.mark.parametrize(
    ("hosts", "fine"),
    [
        (["appliance.example.org"], True),
        (["Appliance.Example.org.:443"], True),
        (["127.0.0.1:4200"], True),
        (["[::1]:4200"], True),
        (["localhost:4200"], True),
        (["evil.example.org"], False),
        (["appliance.example.org.evil.org"], False),
        (["appliance.example.org@evil.org"], False),
        (["127.0.0.1.evil.org"], False),
        (["[::1].evil.org"], False),
        ([""], False),
        ([], False),
        (["appliance.example.org", "appliance.example.org"], False),
    ],
)
def test_only_its_own_names_addresses_and_localhost(hosts: list[str], fine: bool) -> None:
    scope = {"headers": [(b"host", host.encode()) for host in hosts]}
    assert (refusal(scope, {"appliance.example.org"}) is None) == fine


def test_without_a_public_url_every_name_is_fine() -> None:
    assert refusal({"headers": [(b"host", b"evil.example.org")]}, ()) is None
    assert refusal({"headers": []}, ()) is None
    assert refusal({"headers": [(b"host", b"a"), (b"host", b"b")]}, ()) is not None
