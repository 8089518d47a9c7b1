"""Every name that a pickle of the previous release may contain still resolves, directly or through the table of moves."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter

import cloudpickle
import pytest

from appliance import states, triggers
from appliance.core import unpickle
from tests.compatibility.make_pickles import PICKLES

NAMES = [tuple(line.split(":")) for line in json.loads((PICKLES / "pickles.json").read_text())["names"]]
GONE = {
    ("appliance.core.clocks", "next_times"): "internal: flows contain clocks, whose methods called it",
    ("appliance.core.task_options", "same"): "internal: the constructor of tasks called it",
}
"""Names that were removed although a pickle could refer to them, and why that breaks nobody."""


def named(module: str, name: str) -> bytes:
    """A pickle of a class or function."""
    return f"c{module}\n{name}\n.".encode()


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


@pytest.mark.parametrize("module", sorted({module for module, _name in NAMES}))
def test_every_name_of_the_previous_release_leads_somewhere(module: str) -> None:
    lost = [name for place, name in NAMES if place == module and is_public(name) and not leads_somewhere(place, name)]
    assert lost == [name for place, name in GONE if place == module], (
        f"{module}: add them to appliance/core/unpickle.py"
    )


def leads_somewhere(module: str, name: str) -> bool:
    try:
        return callable(unpickle.loads(named(module, name)))
    except (ImportError, AttributeError):
        return False


def test_every_module_of_the_table_leads_to_modules_that_exist() -> None:
    for module, others in unpickle.MODULES.items():
        former = [name for place, name in NAMES if place == module]  # none for a line that is older than that release
        for target in map(import_module, others):
            assert not former or any(hasattr(target, name) for name in former), f"nothing of {module} is in {target}"


def test_every_name_of_the_table_leads_to_one_that_exists() -> None:
    for (module, name), (target, current) in unpickle.NAMES.items():
        assert attrgetter(current)(import_module(target))
        former = import_module(module) if find_spec(module) else None
        assert not hasattr(former, name), f"{module}.{name} is where it was; take it out of the table"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickle, "MODULES", {"appliance.gone": ("appliance.core.triggers", "appliance.core.states")})
    monkeypatch.setattr(unpickle, "NAMES", {("appliance.core.states", "Done"): ("appliance.core.states", "Success")})


def test_a_pickle_finds_what_moved_was_split_or_renamed(table: None) -> None:
    assert unpickle.loads(named("appliance.gone", "Success")) is states.Success
    assert unpickle.loads(named("appliance.gone", "all_finished")) is triggers.all_finished
    assert unpickle.loads(named("appliance.core.states", "Done")) is states.Success
    assert unpickle.loads(named("appliance.core.states", "Failed")) is states.Failed


def test_a_module_in_a_pickle_is_the_one_of_today(table: None) -> None:
    assert unpickle.loads(cloudpickle.dumps(triggers)) is triggers
    assert unpickle.loads(b"ccloudpickle.cloudpickle\nsubimport\n(Vappliance.gone\ntR.") is triggers


@pytest.mark.parametrize("name", ["appliance.nowhere", "appliance.gone"])
def test_what_is_nowhere_is_refused_under_its_former_name(table: None, name: str) -> None:
    with pytest.raises((ImportError, AttributeError), match=name):
        unpickle.loads(named(name, "Nothing"))


def test_other_pickles_are_read_as_ever() -> None:
    value = {"at": datetime(2026, 3, 2, tzinfo=UTC), "list": [1, (2.5, None)]}
    assert unpickle.loads(memoryview(pickle.dumps(value))) == value
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        unpickle.loads(named("no_such_module", "x"))
    with pytest.raises(AttributeError, match="no_such_name"):
        unpickle.loads(named("datetime", "no_such_name"))
