"""Settings from the environment: variables that others set there are ignored with a warning, never the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance import config
from appliance.config import SettingsError

SERVICE_LINKS = {  # what Kubernetes sets in every pod of a namespace that has the services appliance and appliance-ui
    "APPLIANCE_SERVICE_HOST": "10.0.0.1",
    "APPLIANCE_SERVICE_PORT": "80",
    "APPLIANCE_SERVICE_PORT_HTTP": "80",
    "APPLIANCE_PORT": "tcp://10.0.0.1:80",
    "APPLIANCE_PORT_80_TCP": "tcp://10.0.0.1:80",
    "APPLIANCE_PORT_80_TCP_PROTO": "tcp",
    "APPLIANCE_PORT_80_TCP_PORT": "80",
    "APPLIANCE_PORT_80_TCP_ADDR": "10.0.0.1",
    "APPLIANCE_PORT_53_UDP": "udp://10.0.0.1:53",
    "APPLIANCE_UI_SERVICE_HOST": "10.0.0.2",
    "APPLIANCE_UI_PORT": "tcp://10.0.0.2:8080",
    "APPLIANCE_UI_PORT_8080_TCP_ADDR": "10.0.0.2",
}


@pytest.mark.parametrize("variable", SERVICE_LINKS)
def test_a_service_link_is_named_and_ignored(variable: str, caplog: pytest.LogCaptureFixture) -> None:
    assert config.load({variable: SERVICE_LINKS[variable]}) == config.load({})
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"Ignoring {variable}, which Kubernetes sets")


def test_many_service_links_are_one_warning_and_other_settings_count(caplog: pytest.LogCaptureFixture) -> None:
    settings = config.load(SERVICE_LINKS | {"APPLIANCE_HOST": "0.0.0.0"}, port=4711)
    assert (settings.host, settings.port) == ("0.0.0.0", 4711)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("APPLIANCE_PROT", "; did you mean APPLIANCE_PORT?"),
        ("APPLIANCE_AGENT_LABEL", "; did you mean APPLIANCE_AGENT_LABELS?"),
        ("APPLIANCE_DATADIR", "; did you mean APPLIANCE_DATA_DIR?"),
        ("APPLIANCE_TOKN_FILE", "; did you mean APPLIANCE_TOKEN?"),
        ("APPLIANCE_XYZZY", "."),
    ],
)
def test_an_unknown_variable_is_a_warning_with_advice(
    variable: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert config.load({variable: "1"}) == config.load({})
    assert caplog.messages == [f"Ignoring {variable}: there is no such setting{advice}"]


def test_what_clients_runs_and_secrets_use_is_no_stranger(caplog: pytest.LogCaptureFixture) -> None:
    names = [
        "URL",
        "TOKEN_FILE",
        "PROGRESS",
        "RUN_ID",
        "RUN_DIR",
        "SECRET_DB_PORT",
        "SECRET_SERVICE_HOST",
        "SECRET_X_FILE",
    ]
    config.load({f"APPLIANCE_{name}": "1" for name in names})
    assert caplog.messages == []


@pytest.mark.parametrize("port", ["http://10.0.0.1:80", "tcp", "0", "80 "])
def test_a_wrong_port_is_still_refused(port: str) -> None:
    with pytest.raises(SettingsError, match=r"^APPLIANCE_PORT is not valid: "):
        config.load({"APPLIANCE_PORT": port})


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("APPLIANCE_PORT", "many", "APPLIANCE_PORT is not valid: it must be a whole number."),
        ("APPLIANCE_PORT", "0", "APPLIANCE_PORT is not valid: it must be a whole number >= 1."),
        ("APPLIANCE_RUN_TIMEOUT", "long", "APPLIANCE_RUN_TIMEOUT is not valid: it must be a number."),
        ("APPLIANCE_SECURE_COOKIES", "perhaps", "APPLIANCE_SECURE_COOKIES is not valid: it must be true or false."),
        (
            "APPLIANCE_PORT_FILE",
            "/nowhere",
            "APPLIANCE_PORT_FILE names a file that can't be read: No such file or directory.",
        ),
    ],
)
def test_an_error_is_in_plain_words(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        config.load({variable: value})
    assert str(error.value) == sentence


def test_an_error_names_the_setting_as_it_was_written(tmp_path: Path) -> None:
    """The variable, the variable with _FILE, the key of the file, or the option, whatever the setting."""
    port, file = tmp_path / "port", tmp_path / "appliance.toml"
    port.write_text("many\n")
    file.write_text("port = 'many'")
    cases: list[tuple[dict[str, str], dict[str, Any], str]] = [
        ({"APPLIANCE_PORT": "many"}, {}, "APPLIANCE_PORT"),
        ({"APPLIANCE_PORT_FILE": str(port)}, {}, "APPLIANCE_PORT_FILE"),
        ({"APPLIANCE_CONFIG": str(file)}, {}, "port in the file that APPLIANCE_CONFIG names"),
        ({"APPLIANCE_CONFIG": str(file), "APPLIANCE_PORT": "none"}, {}, "APPLIANCE_PORT"),
        ({}, {"port": 0}, "--port"),
        ({"APPLIANCE_PORT": "80"}, {"port": 70_000}, "--port"),
    ]
    for environ, options, name in cases:
        with pytest.raises(SettingsError) as error:
            config.load(environ, **options)
        assert str(error.value).startswith(f"{name} is not valid: it must be a whole number"), name
        assert "$" not in str(error.value)


@pytest.mark.parametrize("name", [*config.Settings.__struct_fields__, "config"])
def test_an_empty_variable_counts_as_one_that_is_not_set(name: str, tmp_path: Path) -> None:
    variable = f"APPLIANCE_{name.upper()}"
    assert config.load({variable: "", f"{variable}_FILE": ""}) == config.load({})
    assert config.client_address({"APPLIANCE_URL": "", "APPLIANCE_TOKEN": ""}) == config.client_address({})
    if name == "port":
        (tmp_path / "port").write_text("4300")
        assert config.load({variable: "", f"{variable}_FILE": str(tmp_path / "port")}).port == 4300


def test_an_unknown_key_in_the_appliances_own_file_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("config") / "appliance.toml"
    file.write_text("prot = 1")
    with pytest.raises(SettingsError, match="Unknown setting 'prot' in the settings file; did you mean port"):
        config.load({"APPLIANCE_CONFIG": str(file)})
