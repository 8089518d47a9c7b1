"""Code that is on one host alone: its runs have the label of that host, which each of the host's agents has without being given it.

The label counts while an agent of the host is known, online or not. It is not added where none is, and no longer kept when the last one is gone
or has another host name (as a container has after each start): such runs are for every agent, as those of earlier releases are, and an agent that
doesn't have their code gives them back with a sentence. So no run waits for a host that nobody knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

PREFIX = "on-host:"
LONGEST = 90
"""Characters of a host's name, of which a label can be made."""


def label_of(host: str) -> str | None:
    """The label of a host; None if its name can't be in one."""
    name = host.strip()
    return f"{PREFIX}{name}" if 0 < len(name) <= LONGEST and name.isprintable() else None


def with_host(labels: Iterable[str], host: str) -> list[str]:
    """The labels that an agent on the host has, sorted."""
    label = label_of(host)
    return sorted({*labels, label} if label is not None else set(labels))


def kept(labels: Iterable[str]) -> list[str]:
    """Those of the labels that say on which host the code is."""
    return [label for label in labels if label.startswith(PREFIX)]


def needed(labels: Collection[str], hosts: Collection[str]) -> frozenset[str]:
    """The labels that an agent must have for a run, of which those of hosts without any agent don't count."""
    known = {label_of(host) for host in hosts}
    return frozenset(label for label in labels if not label.startswith(PREFIX) or label in known)


def host_of(label: str) -> str | None:
    """The host of a label; None if it says nothing of one."""
    return label.removeprefix(PREFIX) if label.startswith(PREFIX) else None
