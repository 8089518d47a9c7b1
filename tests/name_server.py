"""A name server for tests, which knows one name: where it leads can change, and it can fail in each of the ways in which name servers do."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

NO_SUCH_NAME, FAILURE, SILENCE = "no such name", "failure", "silence"
_CODES = {FAILURE: 2, NO_SUCH_NAME: 3}
_A, _IN, _ANSWER, _POINTER_TO_QUESTION = 1, 1, 0x8180, 0xC00C


@dataclass(frozen=True)
class _Question:
    id: bytes
    name: str
    kind: int
    whole: bytes

    @classmethod
    def parse(cls, packet: bytes) -> _Question:
        labels, at = [], 12
        while length := packet[at]:
            labels.append(packet[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        (kind,) = struct.unpack_from(">H", packet, at + 1)
        return cls(packet[:2], ".".join(labels), kind, packet[12 : at + 5])


class NameServer:
    """Answers on port 53 of `host` in a thread of its own. `leads_to` is an IPv4 address, or how it fails; `asked` counts the questions about the name."""

    def __init__(self, host: str, name: str, leads_to: str) -> None:
        self.name, self.leads_to, self.asked = name, leads_to, 0
        self.heard = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def lead(self, to: str) -> None:
        """From the next question on, which sets `heard`."""
        self.leads_to, self.asked = to, 0
        self.heard.clear()

    def close(self) -> None:
        with suppress(OSError):  # it has no peer, which keeps nobody from being woken up
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                packet, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not packet:
                return
            question, leads_to = _Question.parse(packet), self.leads_to
            if question.name == self.name:
                self.asked += 1
                self.heard.set()
            else:
                leads_to = NO_SUCH_NAME
            if leads_to != SILENCE:
                self._socket.sendto(_answer(question, leads_to), client)


def _answer(question: _Question, leads_to: str) -> bytes:
    """There are addresses of one kind alone."""
    has_answer = leads_to not in _CODES and question.kind == _A
    flags = _ANSWER | _CODES.get(leads_to, 0)
    header = question.id + struct.pack(">HHHHH", flags, 1, int(has_answer), 0, 0)
    record = (
        struct.pack(">HHHIH", _POINTER_TO_QUESTION, _A, _IN, 0, 4) + socket.inet_aton(leads_to) if has_answer else b""
    )
    return header + question.whole + record
