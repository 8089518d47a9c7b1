"""The part of `make run` after the setup: start the appliance, register and run the example once, and print where to look.

It stays in the foreground; Ctrl-C or SIGTERM shuts the appliance down cleanly.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = [sys.executable, "-m", "appliance"]
READY_SECONDS = 60
PROJECT, FLOW = "examples", "package-report"


def main() -> int:
    data = Path(os.environ.setdefault("APPLIANCE_DATA_DIR", str(Path("data").resolve())))
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    result = Path(os.environ.setdefault("EXAMPLE_DIR", str(data / "agent" / "example"))) / "packages.sqlite"
    if is_up(data):
        print(
            f"The appliance is already up at {url_of()}; nothing was changed. To restart it, stop it first with Ctrl-C."
        )
        return 0
    url = url_of()
    password, where = secret_of("APPLIANCE_ADMIN_PASSWORD", data / "admin-password", 12)
    token, where_too = secret_of("APPLIANCE_ADMIN_TOKEN", data / "admin-token", 32)
    process = subprocess.Popen([*COMMAND, "start"], env={**os.environ, **where, **where_too})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.terminate())
    if not ready(url, process):
        return process.wait() or 1
    client = {**os.environ, "APPLIANCE_URL": url, "APPLIANCE_TOKEN": token}
    ok = call(client, "register", str(HERE / "packages.py"), "--project", PROJECT)
    ok = ok and call(client, "run", FLOW, "--project", PROJECT, "--watch")
    if process.poll() is None:
        known = password if where else "the password that you have set"
        key = f"$(cat {data / 'admin-token'})" if where_too else "the token that you have set"
        print(summary(url, data, known, key, result if ok and result.exists() else None), flush=True)
    return process.wait()


def is_up(data: Path) -> bool:
    """Whether an appliance uses this data directory: it holds the lock there. Whatever else listens on the port says nothing about it."""
    try:
        with (data / ".lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def url_of() -> str:
    """Where the appliance is, or will be."""
    return f"http://{os.environ.get('APPLIANCE_HOST', '127.0.0.1')}:{os.environ.get('APPLIANCE_PORT', '4200')}"


def secret_of(name: str, file: Path, length: int) -> tuple[str, dict[str, str]]:
    """What the environment says, itself or in a file; or else a secret of our own in this file, and the variable that names it."""
    if os.environ.get(name):
        return os.environ[name], {}
    if os.environ.get(f"{name}_FILE"):
        return Path(os.environ[f"{name}_FILE"]).read_text(encoding="utf-8").strip(), {}
    return secret(file, length), {f"{name}_FILE": str(file)}


def secret(path: Path, size: int) -> str:
    """The secret in a file that only its owner can read. The first call generates it."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(size) + "\n")
    return path.read_text().strip()


def ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the appliance is ready; False if it exits or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # nosec B310 # the address of the appliance just started here
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    if process.poll() is None:
        print(
            f"The appliance was not ready within {READY_SECONDS} seconds. Its output above says why.", file=sys.stderr
        )
        process.terminate()
    return False


def call(environment: dict[str, str], *arguments: str) -> bool:
    """Run one command of the appliance; True if it succeeds."""
    print(f"\n$ appliance {' '.join(arguments)}", flush=True)
    return subprocess.run([*COMMAND, *arguments], env=environment, check=False).returncode == 0


def summary(url: str, data: Path, password: str, token: str, result: Path | None) -> str:
    """Where to look and how to sign in."""
    outcome = (
        f"The example has run. Its result is in {result}." if result else "The example failed. Open its run to see why."
    )
    return f"""
{outcome}

  Open      {url}
  Sign in   admin / {password}
  Scripts   export APPLIANCE_URL={url} APPLIANCE_TOKEN={token}
  Stop      Ctrl-C (your data stays in {data})
"""


if __name__ == "__main__":
    raise SystemExit(main())
