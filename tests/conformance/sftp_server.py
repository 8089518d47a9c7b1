"""An SSH server on loopback, with SFTP over a real directory and commands of this machine. It takes one user with one password."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "ada", "correct horse"


class Sftp:
    """Runs until `close()`. `known_hosts` is a file with its key."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self._key = paramiko.ECDSAKey.generate()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.known_hosts = scratch / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self._key.get_name()} {self._key.get_base64()}\n")
        self.connections: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, name="sftp", daemon=True)
        self._thread.start()

    def drop(self) -> None:
        """Cut every connection, as a restart of the server would."""
        for one in self.connections:
            one.close()
        self.connections.clear()

    def close(self) -> None:
        """The thread ends before its socket is closed: otherwise it might accept what the next owner of the same number is sent."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            self.connections.append(transport)
            transport.start_server(event=threading.Event(), server=_Door())


class _Door(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command.decode()), daemon=True).start()
        return True


def _run(channel: paramiko.Channel, command: str) -> None:
    """A command, as a real server runs it: its input ends with the connection."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(["sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    assert process.stdin and process.stdout and process.stderr
    files = {process.stdout.fileno(): channel.sendall, process.stderr.fileno(): channel.sendall_stderr}

    def feed() -> None:
        assert process.stdin
        with suppress(OSError):
            while content := channel.recv(65_536):
                process.stdin.write(content)
                process.stdin.flush()
        with suppress(OSError):
            process.stdin.close()

    def pass_on(file: int) -> None:
        with suppress(OSError):
            while content := os.read(file, 65_536):
                files[file](content)

    pumps = [threading.Thread(target=pass_on, args=(file,), daemon=True) for file in files]
    for thread in (*pumps, threading.Thread(target=feed, daemon=True)):
        thread.start()
    code = process.wait()
    for pump in pumps:
        pump.join(0.5)
    with suppress(OSError, EOFError):
        channel.send_exit_status(code if code >= 0 else 128 - code)
        channel.close()


def _answered(work: Any) -> Any:
    def wrapped(self: _Files, *arguments: Any) -> Any:
        try:
            found = work(self, *arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK if found is None else found

    return wrapped


class _Handle(paramiko.SFTPHandle):
    def chattr(self, attr: Any) -> int:
        os.fchmod(self.readfile.fileno(), attr.st_mode)
        return paramiko.SFTP_OK

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    @_answered
    def stat(self, path: str) -> Any:
        return paramiko.SFTPAttributes.from_stat(Path(path).stat())

    @_answered
    def lstat(self, path: str) -> Any:
        return paramiko.SFTPAttributes.from_stat(Path(path).lstat())

    @_answered
    def open(self, path: str, flags: int, attr: Any) -> Any:
        writing = flags & (os.O_WRONLY | os.O_RDWR)
        file = os.open(path, flags, 0o666)
        handle = _Handle(flags)
        handle.readfile = handle.writefile = os.fdopen(file, "wb" if writing else "rb")
        return handle

    @_answered
    def list_folder(self, path: str) -> Any:
        found = []
        for file in sorted(Path(path).iterdir()):
            found.append(paramiko.SFTPAttributes.from_stat(file.lstat(), file.name))
        return found

    @_answered
    def mkdir(self, path: str, attr: Any) -> None:
        Path(path).mkdir(attr.st_mode or 0o777)

    @_answered
    def remove(self, path: str) -> None:
        Path(path).unlink()

    @_answered
    def posix_rename(self, old: str, new: str) -> None:
        Path(old).replace(new)

    def canonicalize(self, path: str) -> str:
        return os.path.realpath(path)
