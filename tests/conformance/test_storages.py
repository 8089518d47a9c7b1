"""What every storage of flow code has to do. A new storage joins by a line in STORAGES."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.core.flow import Flow
from appliance.packaging.loading import load_flow
from appliance.packaging.local import LocalStorage
from appliance.packaging.storage import LoadError, Storage

CODE = """
from appliance import Flow, task

@task
def double(n: int = 2) -> int:
    return n * 2

with Flow("one") as one:
    double()
with Flow("two") as two:
    double(3)
"""


class Place:
    """Where a storage under test keeps its code, and how to change or remove that."""

    def __init__(self, storage: Storage, path: Path) -> None:
        self.storage, self._path = storage, path

    def change(self) -> None:
        self._path.write_text(CODE + "\n# changed\n")

    def remove(self) -> None:
        self._path.unlink()


def local(directory: Path, flow: str) -> Place:
    path = directory / "flows.py"
    path.write_text(CODE)
    return Place(LocalStorage.of(path, flow), path)


STORAGES: dict[str, Callable[[Path, str], Place]] = {"local": local}


@pytest.fixture(params=list(STORAGES))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Place]:
    kind = STORAGES[request.param]
    return lambda flow: kind(tmp_path, flow)


def test_the_description_survives_json_and_yields_the_flow(make: Callable[[str], Place]) -> None:
    described = make("two").storage.describe()
    flow = load_flow(msgspec.json.decode(msgspec.json.encode(described)))
    assert isinstance(flow, Flow)
    assert flow.name == "two"
    state = flow.run()
    assert state is not None
    assert state.is_successful()


def test_the_same_code_has_the_same_description(make: Callable[[str], Place]) -> None:
    assert make("one").storage.describe() == make("one").storage.describe()


def test_changed_code_is_refused_in_one_sentence(make: Callable[[str], Place]) -> None:
    place = make("one")
    described = place.storage.describe()
    place.change()
    with pytest.raises(LoadError, match="has changed since it was registered") as caught:
        load_flow(described)
    assert str(caught.value).endswith("register it again.")


def test_missing_code_is_refused_in_one_sentence(make: Callable[[str], Place]) -> None:
    place = make("one")
    described = place.storage.describe()
    place.remove()
    with pytest.raises(LoadError, match="has changed since it was registered: register it again"):
        load_flow(described)


def test_a_missing_flow_names_those_that_are_there(make: Callable[[str], Place]) -> None:
    described = make("three").storage.describe()
    with pytest.raises(LoadError, match=r"no flow named 'three' .*'one', 'two'"):
        load_flow(described)


def test_an_unknown_kind_of_storage_is_refused() -> None:
    with pytest.raises(LoadError, match="does not know the storage 'tape'"):
        load_flow({"type": "tape"})
