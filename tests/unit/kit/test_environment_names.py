"""Which environment variables registrations may set, by the patterns of an agent's administrator."""

from __future__ import annotations

import pytest

from appliance import config
from appliance.config import SettingsError
from appliance.kit.environment_names import EVERY_ORDINARY, is_open, patterns_in, refusal, refused_name

ORDINARY = """
TEAM GREETING team _x LOG_LEVEL LANG LANGUAGE LC_ALL TZ USER AWS_REGION AWS_DEFAULT_REGION GOOGLE_CLOUD_PROJECT CUDA_VISIBLE_DEVICES
OMP_NUM_THREADS TF_CPP_MIN_LOG_LEVEL RUST_LOG NODE_NAME HF_TOKEN LESSON CONTAINER_ID ENVIRONMENT MY_HOME SHELL_NAME DATABASE_URL
S3_BUCKET home java_tool_options PROXY_NAME MYSQL_DATABASE
"""
CLOSED = """
BASH_ENV ENV IFS SHELLOPTS BASHOPTS PS4 PROMPT_COMMAND HOME SHELL TMPDIR TMP TEMP NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS JAVA_TOOL_OPTIONS
_JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS MAVEN_OPTS CLASSPATH PERL5LIB PERL5OPT PERL5DB PERLLIB RUBYOPT RUBYLIB GEM_HOME GEM_PATH BUNDLE_GEMFILE
LUA_PATH LUA_CPATH R_PROFILE R_LIBS OPENSSL_CONF OPENSSL_MODULES SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE CURL_CA_BUNDLE CURL_HOME
REQUESTS_CA_BUNDLE HTTP_PROXY https_proxy no_proxy ALL_PROXY GIT_SSH_COMMAND GIT_EXEC_PATH SSH_AUTH_SOCK SSH_ASKPASS PIP_INDEX_URL UV_INDEX_URL
VIRTUAL_ENV CONDA_PREFIX LOCPATH NLSPATH HOSTALIASES RES_OPTIONS LOCALDOMAIN RESOLV_HOST_CONF TZDIR TERMINFO TERMINFO_DIRS TERMCAP EDITOR
VISUAL PAGER GIT_PAGER MANPAGER LESSOPEN LESSCLOSE XDG_CONFIG_HOME XDG_DATA_DIRS DBUS_SESSION_BUS_ADDRESS KRB5_CONFIG KRB5CCNAME ODBCINI ODBCSYSINI
AWS_PROXY_URL AWS_ALLOW_INVALID_CERTIFICATES AZURE_STORAGE_ENDPOINT AZURE_ENDPOINT AZURITE_BLOB_STORAGE_URL GOOGLE_BASE_URL GOOGLE_SERVICE_ACCOUNT
AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 DOCKER_HOST KUBECONFIG NUMBA_CACHE_DIR
TORCH_EXTENSIONS_DIR DASK_CONFIG DASK_DISTRIBUTED__WORKER__PRELOAD MPLBACKEND PYSPARK_PYTHON OMP_TOOL_LIBRARIES CC LDFLAGS CPATH PGSERVICEFILE
PGHOST PGSSLROOTCERT MYSQL_HOME TNS_ADMIN GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_CONFIG GOFLAGS CARGO_HOME RUSTC_WRAPPER npm_config_registry
"""


@pytest.mark.parametrize("name", ORDINARY.split())
def test_an_ordinary_name_is_open_unless_others_are_named(name: str) -> None:
    assert is_open(name, EVERY_ORDINARY)
    assert not is_open(name, ("APP_*",))
    assert is_open(name, ("APP_*", name))


@pytest.mark.parametrize("name", CLOSED.split())
def test_what_programs_heed_is_open_only_if_it_is_spelled_out(name: str) -> None:
    assert not is_open(name, EVERY_ORDINARY)
    assert not is_open(name, (f"{name[:2]}*", f"{name}*"))
    assert is_open(name, ("*", name))


def test_a_pattern_opens_the_names_that_begin_with_it() -> None:
    patterns = patterns_in(" GREETING, APP_* ,,GREETING")
    assert patterns == ("GREETING", "APP_*")
    assert [is_open(name, patterns) for name in ("GREETING", "APP_", "APP_X", "GREETING2", "XAPP_", "app_x")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert refused_name({"GREETING": "", "B": "", "A": ""}, patterns) == "A"
    assert refused_name({"GREETING": "", "APP_OPTIONS": ""}, patterns) == "APP_OPTIONS"
    assert refused_name({"APP_ONE": ""}, patterns) == ""


def test_without_patterns_every_ordinary_name_is_open() -> None:
    assert patterns_in("") == patterns_in(" , ") == EVERY_ORDINARY


@pytest.mark.parametrize("text", ["A B", "*A", "A*B", "A**", "1A", "A-B", "Ä", "A=1", "A" * 256])
def test_a_setting_that_names_no_variable_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^APPLIANCE_AGENT_ENV_NAMES can't contain '.*'; write names or their beg"):
        config.load({"APPLIANCE_AGENT_ENV_NAMES": f"TEAM,{text}"})


def test_there_is_an_end_to_the_list() -> None:
    with pytest.raises(SettingsError, match="has 201 names; write at most 200"):
        config.load({"APPLIANCE_AGENT_ENV_NAMES": ",".join(f"A{number}" for number in range(201))})


def test_the_refusal_says_why_and_how_to_open_the_name() -> None:
    closed = refusal("NODE_OPTIONS", "this agent", EVERY_ORDINARY)
    assert closed.startswith("env can't set NODE_OPTIONS: for this agent, it can decide what programs load")
    assert "--env-name '*,NODE_OPTIONS'" in closed and "APPLIANCE_AGENT_ENV_NAMES" in closed
    assert "it is none of the names that flows may set (APP_*)" in refusal("TEAM", "agent 'a'", ("APP_*",))
