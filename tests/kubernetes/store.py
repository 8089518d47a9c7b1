"""The objects of the cluster, with versions, and the history that watches are served from."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from appliance.kit import clock, ids

Facts = dict[str, Any]
KINDS = {"jobs": ("batch/v1", "Job"), "pods": ("v1", "Pod"), "secrets": ("v1", "Secret"), "events": ("v1", "Event")}
FOREGROUND = "foregroundDeletion"


class ApiError(Exception):
    """An answer of kind Status. The message is the cluster's."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }


def resource(kind: str) -> str:
    return "jobs.batch" if kind == "jobs" else kind


class Store:
    """Every change is one version. `changed` is notified of each."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._objects: dict[str, dict[tuple[str, str], Facts]] = {kind: {} for kind in KINDS}
        self.history: list[tuple[int, str, str, Facts]] = []
        self.version = 1_000
        self.oldest = 0
        self.quotas: dict[str, int] = {}
        """The most objects of a kind in a namespace."""
        self.admission: Callable[[str, Facts], None] = lambda kind, facts: None
        """A webhook, which refuses an object by raising ApiError."""

    def all(self, kind: str, namespace: str | None = None) -> list[Facts]:
        with self.changed:
            found = [each for (space, _), each in self._objects[kind].items() if namespace in (None, space)]
            return copy.deepcopy(found)

    def get(self, kind: str, namespace: str, name: str) -> Facts:
        with self.changed:
            return copy.deepcopy(self._there(kind, namespace, name))

    def create(self, kind: str, namespace: str, facts: Mapping[str, Any]) -> Facts:
        with self.changed:
            made: Facts = copy.deepcopy(dict(facts))
            name = made["metadata"]["name"]
            if (namespace, name) in self._objects[kind]:
                text = f'{resource(kind)} "{name}" already exists'
                raise ApiError(409, "AlreadyExists", text, name=name, kind=kind)
            self.admission(kind, made)
            used, most = len(self.all(kind, namespace)), self.quotas.get(kind)
            if most is not None and used >= most:
                key = "count/jobs.batch" if kind == "jobs" else kind
                text = f'{resource(kind)} "{name}" is forbidden: exceeded quota: compute, requested: {key}=1, used: {key}={used}, limited: {key}={most}'
                raise ApiError(403, "Forbidden", text, name=name, kind=kind)
            version, word = KINDS[kind]
            made |= {"apiVersion": version, "kind": word}
            made["metadata"] |= {"namespace": namespace, "uid": str(ids.uuid7()), "creationTimestamp": now()}
            made.setdefault("status", {})
            return self._put(kind, "ADDED", made)

    def change(self, kind: str, namespace: str, name: str, change: Callable[[Facts], object]) -> Facts:
        """Change an object in place; the same as before is no new version."""
        with self.changed:
            before = self._there(kind, namespace, name)
            after = copy.deepcopy(before)
            change(after)
            return after if after == before else self._put(kind, "MODIFIED", after)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """It is gone, whatever its finalizers say."""
        with self.changed:
            gone = self._objects[kind].pop((namespace, name), None)
            if gone is not None:
                self._note(kind, "DELETED", gone)

    def delete(self, kind: str, namespace: str, name: str, propagation: str = "Background") -> Facts:
        """As the API does it: an object that something must be done for first stays, with the time of its deletion."""
        with self.changed:
            found = self._there(kind, namespace, name)
            if propagation == "Foreground" or kind == "pods":
                return self.change(kind, namespace, name, lambda facts: _mark(facts, propagation))
            self.remove(kind, namespace, name)
            return copy.deepcopy(found)

    def after(self, kind: str, version: int) -> Iterator[tuple[int, str, Facts]]:
        """What happened to one kind after a version. Raises ApiError if that is too long ago."""
        with self.changed:
            if version < self.oldest:
                text = f"too old resource version: {version} ({self.oldest})"
                raise ApiError(410, "Expired", text)
            found = [
                (number, type, facts) for number, of, type, facts in self.history if of == kind and number > version
            ]
        yield from found

    def forget(self) -> None:
        """Compact the history, as etcd does every five minutes."""
        with self.changed:
            self.version += 1
            self.oldest, self.history = self.version, []

    def _there(self, kind: str, namespace: str, name: str) -> Facts:
        try:
            return self._objects[kind][namespace, name]
        except KeyError:
            text = f'{resource(kind)} "{name}" not found'
            raise ApiError(404, "NotFound", text, name=name, kind=kind) from None

    def _put(self, kind: str, type: str, facts: Facts) -> Facts:
        metadata = facts["metadata"]
        self._objects[kind][metadata["namespace"], metadata["name"]] = facts
        self._note(kind, type, facts)
        return copy.deepcopy(facts)

    def _note(self, kind: str, type: str, facts: Facts) -> None:
        self.version += 1
        facts["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, kind, type, copy.deepcopy(facts)))
        self.changed.notify_all()


def now() -> str:
    return clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _mark(facts: Facts, propagation: str) -> None:
    facts["metadata"].setdefault("deletionTimestamp", now())
    if propagation == "Foreground":
        facts["metadata"].setdefault("finalizers", [FOREGROUND])
