"""The quotas of projects: how many of something there may be, by which setting, and the sentence for one more."""

from __future__ import annotations

from dataclasses import dataclass

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
        message = f"{self.sentence.format(most=f'{most:,}')}, or have an administrator raise {self.setting}."
        return QuotaReached(message, setting=self.setting, most=most)


OPEN_RUNS = Quota(
    "project_open_runs",
    "The project has {most} runs that have not ended, and no more can be created; wait for some to end, or cancel or delete them",
)
SHARES = 16
SECONDS = 10.0


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
