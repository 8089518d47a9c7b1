"""Stores the results of one attempt of a tracked run: small ones in packs, which are synced before anybody learns about them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence, Set
from typing import NamedTuple

from appliance.core import packs
from appliance.core.results import Result, Stored


class Lost(NamedTuple):
    """Results that were handed to the system but could not be made durable."""

    locations: Set[str]
    required: Set[str]
    """Those among them that are at a place which an author chose: their tasks fail."""
    reason: str
    """Why the first of them were lost."""


class _Open:
    """A pack with the locations in it that are not durable yet."""

    def __init__(self, place: Result, pack: packs.Pack) -> None:
        self.place, self.pack = place, pack
        self.locations: list[str] = []
        self.ends = False
        """Is nothing more to be added?"""


class RunPacks:
    """The packs of one attempt: for each place, one that any of the run's threads adds to, and perhaps some that are full.

    `name` is the beginning of their files' names. `sync` is what makes results durable; only then may they be reported as kept.
    """

    def __init__(self, flow_run_id: str, name: str) -> None:
        self._parts = flow_run_id, name
        self._adding, self._syncing = threading.Lock(), threading.Lock()
        self._every: list[_Open] = []
        self._current: dict[tuple[int, int], _Open] = {}
        self._addresses: dict[int, tuple[Result, str]] = {}
        self.lost = Lost(frozenset(), frozenset(), "")

    def store(self, place: Result, value: object, parts: Sequence[str]) -> Stored:
        """Store a result, in a file of its own with these `parts` in its name if it is large. Raises ResultError."""
        content = place.serialized(value)
        sha256 = hashlib.sha256(content)
        if len(content) > packs.SMALL:
            location = place.default_location(*parts)
            place.put(location, content)
        else:
            location = self._add(place, packs.encode(content, sha256.digest()))
        return Stored(location, sha256.hexdigest(), len(content))

    def address(self, place: Result) -> str:
        """The place's address, which some take long to tell."""
        known = self._addresses.get(id(place))
        if known is None:
            known = self._addresses[id(place)] = place, place.address
        return known[1]

    def sync(self) -> Lost:
        """Make durable what has been stored so far. Returns all that was ever lost."""
        with self._syncing:
            for one in tuple(self._every):
                if one.locations:
                    self._sync(one)
                if one.ends and not one.locations:
                    one.pack.close()
                    self._every.remove(one)
        return self.lost

    def sync_files(self) -> None:
        """Make durable what lies in files, which this thread need not wait for long."""
        if any(one.locations and not one.pack.is_once for one in tuple(self._every)):
            self.sync()

    def sync_elsewhere(self) -> threading.Event:
        """Sync in a thread of its own, since a store that can't be reached may take minutes; the event is set at its end."""
        done = threading.Event()

        def work() -> None:
            try:
                self.sync()
            finally:
                done.set()

        if not any(one.locations for one in tuple(self._every)):
            done.set()
            return done
        try:
            threading.Thread(target=work, name="appliance-results", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            work()
        return done

    def close(self) -> Lost:
        """Sync, and close the files."""
        with self._adding:
            for one in self._every:
                one.ends = True
            self._current.clear()
        return self.sync()

    def _add(self, place: Result, record: bytes) -> str:
        with self._adding:
            key = os.getpid(), id(place)  # a process that a task forked must not write to its parent's file
            one = self._current.get(key)
            if one is None:
                pack = place.new_pack(place.pack_location(*self._parts))
                one = self._current[key] = _Open(place, pack)
                self._every.append(one)
            location = str(one.pack.append(record))
            one.locations.append(location)
            full = one.pack.is_full
            if full:
                self._end(one)
        if full:
            self.sync()  # here, so that what waits in memory stays bounded
        return location

    def _end(self, one: _Open) -> None:
        one.ends = True
        self._current = {key: other for key, other in self._current.items() if other is not one}

    def _sync(self, one: _Open) -> None:
        with self._adding:
            if one.pack.is_once:
                self._end(one)
            number = len(one.locations)
        try:
            one.pack.sync()
        except Exception as error:  # noqa: BLE001 - code of an author's own place may raise anything
            with self._adding:  # what the system has thrown away, nobody knows
                self._end(one)
                number = len(one.locations)
            locations, required, reason = self.lost
            more = frozenset(one.locations)
            self.lost = Lost(
                locations | more, required if one.place.optional else required | more, reason or str(error)
            )
        del one.locations[:number]
