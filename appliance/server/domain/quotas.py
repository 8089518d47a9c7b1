"""The quotas of projects: how many of something there may be, by which setting, and the sentence for one more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from appliance.protocol.life_cycle import ProjectUsage
from appliance.server.domain.rules import Rules
from appliance.server.errors import QuotaReached


@dataclass(frozen=True)
class Quota:
    """`rule` is the field of the rules, and with a prefix the setting; 0 there is no limit. `sentence` says what there is, with `{most}`, and
    what to do about it."""

    rule: str
    sentence: str

    @property
    def setting(self) -> str:
        return f"APPLIANCE_{self.rule.upper()}"

    def reached(self, most: int) -> QuotaReached:
        """The error for one more than `most`."""
        return QuotaReached(f"{self.text(most)}.", setting=self.setting, most=most)

    def text(self, most: int) -> str:
        """What there is, and what to do."""
        return f"{self.sentence.format(most=f'{most:,}')}, or have an administrator raise {self.setting}"


OPEN_RUNS = Quota(
    "project_open_runs",
    "The project has {most} runs that have not ended, and no more can be created; wait for some to end, or cancel or delete them",
)
_MORE = "delete runs or flows that are no longer needed, or wait until old runs are deleted"
ROWS = Quota("project_rows", f"The project has stored {{most}} rows of runs, logs and versions; {_MORE}")
BYTES = Quota("project_bytes", f"The project has stored {{most}} bytes of runs, logs and versions; {_MORE}")
SECRETS = Quota("project_secrets", "The project has {most} secrets; delete some that are no longer needed")
RESULT = Quota(
    "results_door_object_bytes",
    "The appliance keeps results of at most {most} bytes each; store larger ones elsewhere, for example in an object store",
)
RESULTS_OF_RUN = Quota(
    "results_door_run_bytes",
    "The appliance keeps at most {most} bytes of results for each run; store large ones elsewhere, for example in an object store",
)
ARTIFACT = Quota(
    "artifact_bytes",
    "The appliance keeps artifacts of at most {most} bytes each; store larger ones elsewhere, and make a link to them",
)
ARTIFACTS_OF_RUN = Quota(
    "run_artifacts",
    "The appliance keeps at most {most} artifacts of each run; put more into one of them, such as a table",
)
BYTES_OF_ARTIFACTS = Quota(
    "run_artifacts_bytes",
    "The appliance keeps at most {most} bytes of artifacts for each run; store large ones elsewhere, and make links to them",
)
ROW = 200
"""About what the row of a run, a task run, a state or a version takes without its texts and documents."""
LINE = 100
"""About what a log line takes without its message."""
SHARES = 16
SECONDS = 10.0


class Stored(NamedTuple):
    """What a transaction stores of a run: rows of it, its states and task runs, and lines of its log, with their bytes."""

    rows: int
    bytes: int
    log_rows: int = 0
    log_bytes: int = 0


_FAR = Stored(500_000, 256 * 1024**2)
"""More than a process stores in SECONDS."""


class Sums(Protocol):
    """What a project has stored."""

    @property
    def stored_rows(self) -> int: ...

    @property
    def stored_bytes(self) -> int: ...


def usage(sums: Sums | None, rules: Rules) -> ProjectUsage:
    """The same for its readers, with what it may store."""
    rows, size = (0, 0) if sums is None else (max(0, sums.stored_rows), max(0, sums.stored_bytes))
    return ProjectUsage(rows=rows, bytes=size, most_rows=rules.project_rows, most_bytes=rules.project_bytes)


def full(stored_rows: int, stored_bytes: int, rules: Rules) -> Quota | None:
    """The quota that a project with so much has reached."""
    if 0 < rules.project_rows <= stored_rows:
        return ROWS
    return BYTES if 0 < rules.project_bytes <= stored_bytes else None


def is_roomy(stored_rows: int, stored_bytes: int, rules: Rules) -> bool:
    """Whether a project with so much is so far from its quotas that it need not be looked at again for SECONDS."""
    rows, size = max(_FAR.rows, rules.project_rows // SHARES), max(_FAR.bytes, rules.project_bytes // SHARES)
    return full(stored_rows + rows, stored_bytes + size, rules) is None


@dataclass
class Allowance:
    """How many more a process may create before it counts again: a share of what is left, and not for long, so that creating costs no
    counting, and many processes together go hardly beyond the quota. When less than a share is left, each one is counted."""

    left: int
    until: float

    def take(self, number: int, moment: float) -> bool:
        """Whether the allowance is enough for so many; they are taken then."""
        if number > self.left or moment >= self.until:
            return False
        self.left -= number
        return True


def allowance(room: int, moment: float) -> Allowance:
    """The allowance of a process that has counted and found room for so many."""
    return Allowance(max(0, room) // SHARES, moment + SECONDS)
