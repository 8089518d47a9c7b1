"""Networks of their own, for tests: hosts that reach each other and nothing else. Only root can make them, and only where the kernel lets it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000  # from linux/sched.h
REASON = "this machine permits no network namespaces"


def are_permitted() -> bool:
    """Whether this process may make networks, and connect them."""
    try:
        with own_network(), far_host(1):
            return True
    except (OSError, subprocess.SubprocessError):
        return False


def are_shaped() -> bool:
    """Whether this kernel can also make them narrow."""
    try:
        with own_network(), far_host(1) as (inside, _here), narrow(1, inside, bytes_per_second=10_000):
            return True
    except (OSError, subprocess.SubprocessError):
        return False


@contextmanager
def own_network() -> Iterator[None]:
    """Until the end of the block, this thread and what it starts have a network with a loopback and nothing else. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            _ip("link", "set", "lo", "up")
            yield
        finally:
            if libc.setns(before, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(before)


@contextmanager
def far_host(number: int) -> Iterator[tuple[list[str], str]]:
    """A host that this thread's network is connected with by a cable of its own: what to put before a command that is to run there, and the address under
    which it reaches this side. Raises OSError or SubprocessError."""
    here, there, near, far = f"10.77.{number}.1", f"10.77.{number}.2", f"near{number}", f"far{number}"
    with ExitStack() as stack:
        holder = stack.enter_context(
            subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1)
        )
        stack.callback(holder.kill)
        assert holder.stdout is not None
        holder.stdout.readline()  # it has its network
        inside = ["nsenter", "-t", str(holder.pid), "-n"]
        _ip("link", "add", near, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", str(holder.pid))
        for prefix, address, name in (([], here, near), (inside, there, far)):
            _ip("addr", "add", f"{address}/30", "dev", name, prefix=prefix)
            _ip("link", "set", name, "up", prefix=prefix)
        _ip("link", "set", "lo", "up", prefix=inside)
        yield inside, here


@contextmanager
def another_address(number: int, inside: list[str]) -> Iterator[str]:
    """A second address under which a far host reaches this side. Raises OSError or SubprocessError."""
    address = f"10.79.{number}.1"
    _ip("addr", "add", f"{address}/32", "dev", "lo")
    try:
        _ip("route", "add", f"{address}/32", "via", f"10.77.{number}.1", prefix=inside)
        yield address
    finally:
        _ip("addr", "delete", f"{address}/32", "dev", "lo")


@contextmanager
def cut(number: int) -> Iterator[None]:
    """Until the end of the block, the cable to a far host is out."""
    _ip("link", "set", f"near{number}", "down")
    try:
        yield
    finally:
        _ip("link", "set", f"near{number}", "up")


@contextmanager
def loss(number: int, *, share: float, both_ways: bool = False) -> Iterator[None]:
    """Until the end of the block, this share of the packets to a far host is lost, and none of those from there, if not `both_ways`. Raises OSError or
    SubprocessError."""
    some = [] if share == 1 else ["-m", "statistic", "--mode", "random", "--probability", str(share)]
    rules = [["OUTPUT", "-o", f"near{number}"], *([["INPUT", "-i", f"near{number}"]] if both_ways else [])]
    with ExitStack() as stack:
        for rule in rules:
            _run("iptables", "-A", *rule, *some, "-j", "DROP")
            stack.callback(_run, "iptables", "-D", *rule, *some, "-j", "DROP")
        yield


@contextmanager
def narrow(number: int, inside: list[str], *, bytes_per_second: int) -> Iterator[None]:
    """Until the end of the block, no more than this crosses the cable to a far host in either direction. Raises OSError or SubprocessError."""
    limit = ["root", "tbf", "rate", f"{bytes_per_second * 8}bit", "burst", "3000", "latency", "1s"]
    ends: tuple[tuple[list[str], str], ...] = (([], f"near{number}"), (inside, f"far{number}"))
    with ExitStack() as stack:
        for prefix, device in ends:
            _run("tc", "qdisc", "add", "dev", device, *limit, prefix=prefix)
            stack.callback(_run, "tc", "qdisc", "delete", "dev", device, "root", prefix=prefix)
        yield


@contextmanager
def bridge(name: str, address: str) -> Iterator[None]:
    """A bridge of this machine, to which nothing is connected yet. Raises OSError or SubprocessError."""
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("addr", "add", address, "dev", name)
        _ip("link", "set", name, "up")
        yield
    finally:
        _ip("link", "delete", name)


def with_name_server(address: str, folder: Path) -> list[str]:
    """What to put before a command that is to ask this name server and no other. The address goes into a file in the folder."""
    (folder / "resolv.conf").write_text(f"nameserver {address}\n")
    mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, str(folder / "resolv.conf")]


def _ip(*arguments: str, prefix: list[str] | None = None) -> None:
    _run("ip", *arguments, prefix=prefix)


def _run(name: str, *arguments: str, prefix: list[str] | None = None) -> None:
    paths = (Path(folder, name) for folder in ("/usr/sbin", "/sbin", "/usr/bin"))
    program = next((str(path) for path in paths if path.exists()), name)
    subprocess.run([*(prefix or []), program, *arguments], check=True, capture_output=True)
