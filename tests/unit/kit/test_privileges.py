"""What another user can reach, judged by permissions, and tried by becoming that user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.kit import privileges
from appliance.kit.privileges import Ids

OTHER = Ids(1_879_100_009, 1_879_100_009)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.mark.parametrize(
    ("mode", "enter", "read"), [(0o755, True, True), (0o711, True, False), (0o700, False, False), (0o744, False, False)]
)
def test_the_permissions_of_others_decide(tmp_path: Path, mode: int, enter: bool, read: bool) -> None:
    tmp_path.chmod(mode)
    assert privileges.can_enter(tmp_path, OTHER) is enter
    assert privileges.can_enter(tmp_path, OTHER, read=True) is read


def test_a_barrier_is_the_outermost_closed_folder(tmp_path: Path) -> None:
    closed = next(
        folder for folder in [*reversed(tmp_path.parents), tmp_path] if not privileges.can_enter(folder, OTHER)
    )
    assert privileges.barriers([tmp_path / "a" / "b", Path("/proc/version")], OTHER) == {closed: [tmp_path / "a" / "b"]}


def in_a_process(do: object) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(do())  # type: ignore[operator]
        except BaseException:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@as_root
def test_behind_a_barrier_only_the_named_paths_are_seen(tmp_path: Path) -> None:
    wanted, hidden = tmp_path / "in" / "wanted", tmp_path / "in" / "hidden"
    wanted.mkdir(parents=True)
    wanted.chmod(0o755)
    (wanted / "file").write_text("x")
    (wanted / "file").chmod(0o644)
    hidden.mkdir()

    def look() -> int:
        privileges.see_through(privileges.barriers([wanted], OTHER))
        privileges.become(OTHER)
        seen = (wanted / "file").read_text() == "x"
        return 0 if seen and not hidden.exists() and os.getresuid() == (OTHER.uid,) * 3 and os.getgroups() == [] else 1

    assert in_a_process(look) == 0
    assert hidden.exists()


@as_root
def test_acting_as_somebody_ends_with_the_block(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    def act() -> int:
        with privileges.acting_as(OTHER):
            refused = not os.access(tmp_path, os.R_OK, effective_ids=True)
        return 0 if refused and os.geteuid() == 0 and list(tmp_path.iterdir()) == [] else 1

    assert in_a_process(act) == 0
