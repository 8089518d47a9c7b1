"""Tasks over SSH and SFTP, against a server of the tests: what commands get and give, and what files are left on both sides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import paramiko
import pytest

from appliance.core.secrets import Secret
from appliance.tasks.library.errors import CommandFailed, ConnectionLost, MissingArgument, Refused
from appliance.tasks.sftp import SftpDownload, SftpList, SftpUpload
from appliance.tasks.ssh import SshTask
from appliance.testing import log_lines
from tests.conformance.sftp_server import PASSWORD, USER, Sftp
from tests.e2e.appliance_process import until


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sftp]:
    monkeypatch.setenv("APPLIANCE_SECRET_HOST_PASSWORD", PASSWORD)
    (tmp_path / "remote").mkdir()
    with closing(Sftp(tmp_path / "remote", tmp_path)) as server:
        yield server


@pytest.fixture
def host(server: Sftp) -> dict[str, Any]:
    where: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": USER}
    return where | {"password": Secret("HOST_PASSWORD"), "known_hosts": server.known_hosts}


def test_a_command_gets_its_variables_and_gives_its_lines(host: dict[str, Any]) -> None:
    odd = 'it\'s "odd"\n$HOME `x` \\n %s'
    task = SshTask(command='printf "%s" "$ODD"; echo; echo err >&2', env={"ODD": odd}, return_all=True, **host)
    with log_lines() as lines:
        assert task.run() == odd.split("\n")
    assert sorted(lines.messages) == sorted([*odd.split("\n"), "err"])
    assert SshTask(**host).run(command="for n in 1 2; do\n  echo $n\ndone") == "2"
    assert SshTask(command="true", **host).run() is None
    assert SshTask(command="cat", **host).run() is None, "its input is empty"
    big = SshTask(command="seq 200000", stream_output=False, return_all=True, **host).run()
    assert isinstance(big, list) and (len(big), big[-1]) == (200_000, "200000")


def test_an_exit_code_fails_the_task(host: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed, match=r"The command on 127\.0\.0\.1 ended with exit code 3: broken") as failed:
        SshTask(command="echo fine; echo broken >&2; exit 3", **host).run()
    assert failed.value.code == 3
    with pytest.raises(Refused, match="'a b' is not the name of a variable"):
        SshTask(command="true", env={"a b": "c"}, **host).run()
    with pytest.raises(MissingArgument, match="SshTask has no command"):
        SshTask(**host).run()


def test_what_a_command_leaves_behind_ends_with_it(host: dict[str, Any], tmp_path: Path) -> None:
    SshTask(command=f"sleep 3600 & echo $! > {tmp_path}/pid", **host).run()
    pid = (tmp_path / "pid").read_text().strip()
    until("it ends", lambda: not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text())


def test_variables_are_in_no_list_of_processes(host: dict[str, Any]) -> None:
    look = 'for file in /proc/[0-9]*/cmdline; do tr "\\0" " " < $file; echo; done 2>/dev/null'
    seen = SshTask(command=look, env={"P": Secret("HOST_PASSWORD")}, return_all=True, stream_output=False, **host).run()
    assert seen and not any(PASSWORD in line or "***" in line for line in seen)


def test_a_connection_that_breaks_during_a_command_is_not_retried(
    host: dict[str, Any], server: Sftp, tmp_path: Path
) -> None:
    def drop() -> None:
        until("the command runs", (tmp_path / "begun").exists)
        server.drop()

    threading.Thread(target=drop).start()
    with pytest.raises(ConnectionLost, match="connection broke: "):
        SshTask(command=f"touch {tmp_path}/begun; sleep 3600", **host).run()


def test_hosts_that_are_not_known_are_refused(host: dict[str, Any], tmp_path: Path) -> None:
    other = paramiko.ECDSAKey.generate()
    known = tmp_path / "other"
    known.write_text(f"[127.0.0.1]:{host['port']} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(Refused, match="is not the one that is known"):
        SshTask(command="true", **host | {"known_hosts": known}).run()
    known.write_text("")
    with pytest.raises(Refused, match="is not known; set known_hosts"):
        SshTask(command="true", **host | {"known_hosts": known}).run()


def test_keys_that_can_not_be_used_are_a_sentence(host: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_HOST_KEY", "no key of anything")
    with pytest.raises(Refused, match="has no private key that can be used") as refused:
        SshTask(command="true", **host | {"password": None, "key": Secret("HOST_KEY")}).run()
    assert "no key of anything" not in str(refused.value)


def test_files_go_there_and_back(host: dict[str, Any], server: Sftp, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(range(256)) * 20_000)
    target = f"{server.root}/in/big.bin"
    assert SftpUpload(local_path=tmp_path / "big", **host).run(remote_path=target) == {
        "path": target,
        "bytes": 5_120_000,
    }
    (server.root / "in" / "inner.bin").mkdir()
    assert SftpList(remote_path=f"{server.root}/in", pattern="*.bin", **host).run() == [target]
    back = SftpDownload(local_path=tmp_path / "back", **host).run(remote_path=target)
    assert back == {"path": str(tmp_path / "back"), "bytes": 5_120_000}
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    assert sorted(file.name for file in (server.root / "in").iterdir()) == ["big.bin", "inner.bin"]


def test_what_goes_wrong_leaves_nothing_half_done(host: dict[str, Any], server: Sftp, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no such file"):
        SftpDownload(remote_path=f"{server.root}/missing", local_path=tmp_path / "x", **host).run()
    assert not (tmp_path / "x").exists()
    with pytest.raises(Refused, match="is not a file"):
        SftpUpload(local_path=tmp_path / "missing", remote_path=f"{server.root}/x", **host).run()
    (tmp_path / "file").write_text("x")
    (server.root / "folder").mkdir()
    with pytest.raises(Refused, match="answered: Failure"):
        SftpUpload(local_path=tmp_path / "file", remote_path=f"{server.root}/folder", **host).run()
    assert [file.name for file in server.root.iterdir()] == ["folder"]
