"""Which environment variables a registration may set for its runs, as the administrator of an agent decides.

The rule: an ordinary name is one that only the flow's own code reads. Closed are the names by which widely used programs and libraries
decide what code they load, which command they run, where their configuration, their credentials, or their temporary files lie, whom
they trust, and where they send what they are given. A pattern such as `APP_*` opens ordinary names; a closed name is open only if
it is spelled out. No list knows every program: who needs certainty names what flows may set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

EVERY_ORDINARY = ("*",)
"""The patterns of an administrator who has named none."""
MOST_PATTERNS = 200
LONGEST_PATTERN = 255
_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?|\*")

_SHELLS = "BASHOPTS BASH_.* ENV IFS SHELL SHELLOPTS PS4 PROMPT_COMMAND CDPATH FPATH GLOBIGNORE ZDOTDIR INPUTRC"
_LANGUAGES = (
    ".*_OPTIONS .*OPTS CLASSPATH JAVA_.* JAVACMD JDK_.* JRE_HOME CATALINA_.* SPARK_.* PYSPARK_.* HADOOP_.* PERL5.* PERLLIB PERL_.* "
    "RUBY.* GEM_.* BUNDLE_.* BUNDLER_.* LUA_.* LUAROCKS_.* R_.* JULIA_.* NODE_(?:COMPILE|EXTRA|ICU|PATH|REPL|TLS|V8).* NPM_.* npm_.* "
    "YARN_.* DENO_.* BUN_.* PHPRC PHP_.* COMPOSER_.* GO(?:BIN|ENV|FLAGS|INSECURE|NOPROXY|NOSUMDB|PATH|PRIVATE|PROXY|ROOT|SUMDB|TOOLCHAIN|WORK) "
    "CARGO_(?:BUILD|HOME|HTTP|NET|REGIST|SOURCE|TARGET).* RUSTC.* RUSTDOC.* RUSTFLAGS RUSTUP_.* DOTNET_.* COREHOST_.* CORECLR_.* "
    "COMPlus_.* MONO_.* NUGET_.* TCLLIBPATH TCL_LIBRARY ERL_.* ELIXIR_.* GUILE_.* OCAML[A-Z]*"
)
_LIBRARIES = (
    "NUMBA_.* TORCH_.* TORCHINDUCTOR_.* TRITON_.* XLA_.* JAX_.* KERAS_.* CUDA_(?:CACHE|HOME|INJECTION|MODULE|PATH).* OMP_TOOL.* OCL_.* "
    "DASK_.* RAY_.* MPLBACKEND MPLCONFIGDIR MATPLOTLIBRC IPYTHONDIR JUPYTER_.* NLTK_DATA HF_(?:ENDPOINT|HOME|MODULES_CACHE) GST_.* QT_.* "
    "QML_.* QML2_.* GTK_.* GIO_.* GDK_.* LIBGL_.* VK_.* DISPLAY WAYLAND_DISPLAY XAUTHORITY DJANGO_SETTINGS_MODULE FLASK_APP OTEL_.* "
    "SENTRY_DSN MLFLOW_(?:REGISTRY|TRACKING).* HDF5_PLUGIN.* GDAL_(?:DATA|DRIVER)_?.* OMPI_.* PMIX_.* UCX_.* NCCL_.* TF_XLA_FLAGS "
    "COVERAGE_.* PYPANDOC_.* SASL_.*"
)
_COMPILERS = (
    "CC CXX CPP LD AR AS LDSHARED CFLAGS CPPFLAGS CXXFLAGS LDFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH "
    "GCC_EXEC_PREFIX MAKE MAKEFLAGS MFLAGS CMAKE_.* PKG_CONFIG.* CYTHON_.* SETUPTOOLS_.* DISTUTILS_.*"
)
_PACKAGES = (
    "PIP_.* PIPX_.* UV_.* POETRY_.* PDM_.* HATCH_.* PYENV_.* TWINE_.* VIRTUAL_ENV VIRTUALENV_.* CONDA_.* _CONDA.* MAMBA_.* MAVEN_.* APT_CONFIG "
    "NIX_.* BREW_.* HOMEBREW_.*"
)
_TRUST = (
    "OPENSSL_.* SSL_.* SSLKEYLOGFILE GNUTLS_.* NSS_.* P11_KIT_.* PKCS11_.* .*CA_BUNDLE CURL_.* WGETRC NETRC .*_PROXY .*_proxy KRB5.* "
    "GSS_.* GPG_.* GNUPGHOME"
)
_SYSTEM = (
    "HOME TMPDIR TMP TEMP TEMPDIR LOCPATH NLSPATH TEXTDOMAINDIR TZDIR GETCONF_DIR HOSTALIASES LOCALDOMAIN RESOLV_.* TERMINFO.* TERMCAP XDG_.* "
    "DBUS_.* NOTIFY_SOCKET SUDO_.* EDITOR VISUAL FCEDIT VIMINIT EXINIT VIMRUNTIME .*_EDITOR PAGER .*_PAGER MANPAGER MANPATH LESS LESS(?:CLOSE|EDIT|HISTFILE|KEY|OPEN).*"
)
_CLIENTS = (
    "GIT_.* SSH_.* SVN_.* HG(?:EDITOR|MERGE|RCPATH) CVS_.* RSYNC_.* DOCKER_.* CONTAINERS_.* CONTAINER_(?:CONNECTION|HOST|SSHKEY) PODMAN_.* "
    "BUILDKIT_.* BUILDX_.* KUBECONFIG KUBECTL_.* KUBERNETES_.* HELM_.* VAULT_.* CONSUL_.* NOMAD_.* ANSIBLE_.* TF_(?:CLI|DATA|PLUGIN|REATTACH).* "
    "PG[A-Z]+ MYSQL_(?:HOME|HOST|TCP_PORT|UNIX_PORT) LIBMYSQL_.* ODBC[A-Z]* TNS_ADMIN TWO_TASK ORACLE_HOME SQLPATH FREETDS.* TDS[A-Z]+ "
    "AWS_(?:ALLOW|CA|CONFIG|CONTAINER|DATA_PATH|EC2|ENDPOINT|PROXY|SHARED|SKIP|STS|WEB_IDENTITY).* BOTO_CONFIG GOOGLE_(?:API|APPLICATION|BASE|EXTERNAL|PROXY|SERVICE).* "
    "GCE_METADATA.* CLOUDSDK_.* AZURE_(?:ALLOW.*|AUTHORITY_HOST|CONFIG_DIR|ENDPOINT|EXTENSION_DIR|PROXY.*|SKIP.*|STORAGE_(?:ENDPOINT|USE_EMULATOR)) "
    "AZURITE_.* S3_ENDPOINT.* SNOWFLAKE_HOME DBT_PROFILES_DIR BORG_.* "
    "RESTIC_.* RCLONE_.*"
)
_GROUPS = (_SHELLS, _LANGUAGES, _LIBRARIES, _COMPILERS, _PACKAGES, _TRUST, _SYSTEM, _CLIENTS)


@cache
def _closed() -> re.Pattern[str]:
    return re.compile("|".join(" ".join(_GROUPS).split()))


def patterns_in(text: str) -> tuple[str, ...]:
    """The patterns in a list with commas, or those of an administrator who has named none. Raises ValueError with a sentence."""
    named = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for pattern in named:
        if not _PATTERN.fullmatch(pattern) or len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"can't contain {pattern[:80]!r}; write names or their beginnings, as in GREETING,APP_*")
    if len(named) > MOST_PATTERNS:
        raise ValueError(f"has {len(named)} names; write at most {MOST_PATTERNS}, or beginnings, as in APP_*")
    return named or EVERY_ORDINARY


def is_closed(name: str) -> bool:
    """Whether a pattern can't open this name. Linux tells apart the cases of letters, and so does this."""
    return _closed().fullmatch(name) is not None


def is_open(name: str, patterns: Iterable[str]) -> bool:
    """Whether a registration may set this variable where these are the patterns."""
    closed = is_closed(name)
    return any(
        pattern == name or (not closed and pattern.endswith("*") and name.startswith(pattern[:-1]))
        for pattern in patterns
    )


def refused_name(names: Iterable[str], patterns: Sequence[str]) -> str:
    """The first of these names that is not open; empty if all are."""
    return next((name for name in sorted(names) if not is_open(name, patterns)), "")


def refusal(name: str, agent: str, patterns: Sequence[str]) -> str:
    """The sentence for a name that is not open, with the option that opens it."""
    why = (
        "it can decide what programs load, run, or trust"
        if is_closed(name)
        else "it is none of the names that flows may set"
    )
    return (
        f"env can't set {name}: for {agent}, {why} ({', '.join(patterns) or 'none'}). To allow it, restart the agent (appliance start, or "
        f"appliance agent start) with --env-name '{','.join([*patterns, name])}', or set APPLIANCE_AGENT_ENV_NAMES."
    )
