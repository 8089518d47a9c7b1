"""A registration whose code no agent would take is refused at once, with the way to change that."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.protocol.agents import Enrol
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import agents, flows
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.session import Database
from appliance.server.errors import ClosedFolder, Invalid
from tests.integration.builders import ALICE, document

IN_IMAGE: dict[str, Any] = {
    "type": "docker",
    "image": "etl:0123",
    "id": f"sha256:{'1' * 64}",
    "folder": "/opt/appliance/flows",
    "path": "etl.py",
    "flow": "etl",
    "sha256": "0" * 64,
}


def enrol(database: Database, name: str, roots: list[str] | None, labels: list[str] | None = None) -> None:
    request = Enrol(name=name, type="process", roots=roots, closed=["/flows/data"], labels=labels or [])
    agents.enrol(database, ALICE, request)


def send(
    database: Database, path: str, working_dir: str | None = None, labels: list[str] | None = None, **more: Any
) -> Registered:
    doc = document()
    doc["run_config"] = {"type": "local", "env": {}, "labels": labels or [], "working_dir": working_dir}
    storage: dict[str, Any] = {"type": "local", "path": path, "flow": "etl", "sha256": "0" * 64} | more
    request = Registration(project="demo", name="etl", content_hash="0" * 64, document=doc, storage=storage)
    return flows.register(database, ALICE, request)


def test_outside_of_all_roots_it_is_refused_with_the_command_that_adds_one(database: Database) -> None:
    enrol(database, "here", ["/flows"])
    with pytest.raises(
        ClosedFolder, match=r"agent 'here' takes code \(/flows\).*`appliance agent roots add /etc`"
    ) as caught:
        send(database, "/etc/etl.py")
    assert "etl.py is in none" in str(caught.value)
    assert caught.value.details == {"folder": "/etc"}
    with pytest.raises(Invalid, match="The working directory /etc is in none"):
        send(database, "/flows/etl.py", "/etc")
    with pytest.raises(Invalid, match="in none of the folders"):
        send(database, "/flows/data/etl.py")
    assert send(database, "/flows/etl.py", "/flows").created


def test_it_suffices_that_one_agent_takes_it_or_does_not_say(database: Database) -> None:
    enrol(database, "here", ["/flows"])
    enrol(database, "there", ["/srv"])
    assert send(database, "/srv/etl.py").created
    with pytest.raises(Invalid, match="in none of the folders"):
        send(database, "/elsewhere/etl.py")
    enrol(database, "of the release before", None)
    assert send(database, "/elsewhere/etl.py").created


@pytest.mark.parametrize(
    ("path", "module", "folder"),
    [
        ("/flows/a/b.py", "a.b", None),
        ("/flows/a/b.py", "flows.a.b", "/"),
        ("/flows/a/__init__.py", "a", None),
        ("/flows/a/__init__.py", "flows.a", "/"),
        ("/flows/b.py", "x." * 400 + "b", "/"),
    ],
)
def test_a_module_needs_the_folder_from_which_it_is_imported(
    database: Database, path: str, module: str, folder: str | None
) -> None:
    enrol(database, "here", ["/flows"])
    if folder is None:
        assert send(database, path, module=module).created
        return
    with pytest.raises(ClosedFolder, match="The folder of the module / is in none") as caught:
        send(database, path, module=module)
    assert caught.value.details == {"folder": folder}


def test_only_agents_with_the_labels_count(database: Database) -> None:
    enrol(database, "here", ["/flows"])
    enrol(database, "there", ["/srv"], ["gpu"])
    with pytest.raises(Invalid, match="agent 'there'"):
        send(database, "/flows/etl.py", labels=["gpu"])


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ({"path": "/flows/../etc/f.py"}, "must not contain"),
        ({"path": "/flows/\0.py"}, "must not contain"),
        ({"path": "/flows/upload.csv"}, "must end in .py"),
        ({"path": "/flows/folder"}, "must end in .py"),
        ({"path": 5}, "The flow's storage is not valid"),
        ({"path": "/" + "x" * 5_000}, "The flow's storage is not valid"),
        ({"path": "/flows/f.py", "module": "../os"}, "The flow's storage is not valid"),
        ({"path": "/flows/f.py", "sha256": ["x"]}, "The flow's storage is not valid"),
        ({"path": "/flows/f.py", "more": {"x": [1]}}, "unknown field `more`"),
        ({"type": "git"}, "The flow's storage is not valid"),
        ({**IN_IMAGE, "id": "latest"}, "The flow's storage is not valid"),
        ({**IN_IMAGE, "image": "etl"}, "must be a name and a tag"),
        ({**IN_IMAGE, "image": "-v /:/host:1"}, "must be a name and a tag"),
        ({**IN_IMAGE, "folder": "/opt/../etc"}, "must be an absolute path"),
        ({**IN_IMAGE, "path": "/etc/f.py"}, "must be relative to their folder"),
        (IN_IMAGE, "and the run config names image other:1"),
    ],
)
def test_a_storage_of_another_form_is_refused(database: Database, storage: dict[str, Any], sentence: str) -> None:
    request = Registration(
        project="demo",
        name="etl",
        content_hash="0" * 64,
        document=document() | {"run_config": {"type": "docker", "image": "other:1"}},
        storage={"type": "local", **storage},
    )
    with pytest.raises(Invalid, match=sentence):
        flows.register(database, ALICE, request)


def test_all_files_of_a_version_must_lie_in_a_folder_of_an_agent(database: Database) -> None:
    enrol(database, "here", ["/flows/sales"])
    files: dict[str, Any] = {"root": "/flows", "files": {"sales/a.py": "1" * 64}}
    assert send(database, "/flows/sales/etl.py", **files).created
    files["files"] |= {"common/rates.py": "2" * 64}
    with pytest.raises(ClosedFolder, match="The folder of the code /flows/common is in none") as caught:
        send(database, "/flows/sales/etl.py", **files)
    assert caught.value.details == {"folder": "/flows/common"}


def test_a_changed_helper_is_a_new_version_and_named(database: Database) -> None:
    enrol(database, "here", ["/flows"])
    send(database, "/flows/etl.py")
    places: list[dict[str, Any]] = [
        {"root": "/flows", "files": {"a.py": "1" * 64}},
        {"root": "/flows", "files": {"a.py": "2" * 64}},
        {"root": "/flows", "files": {"b.py": "2" * 64}},
    ]
    changes = [send(database, "/flows/etl.py", **place).changes for place in places]
    assert changes == [["file a.py added"], ["file a.py changed"], ["file b.py added", "file a.py removed"]]
    assert not send(database, "/flows/etl.py", **places[-1]).created


def test_a_version_says_which_image_has_its_code(database: Database) -> None:
    for digit in "12":
        storage = IN_IMAGE | {"image": f"etl:{digit}", "id": f"sha256:{digit * 64}"}
        request = Registration(project="demo", name="etl", content_hash="0" * 64, document=document(), storage=storage)
        made = flows.register(database, ALICE, request)
    send(database, "/flows/etl.py")
    assert made.changes == ["image etl:2"]
    with database.read() as session:
        rows = read_flows.version_page(session, made.flow_id, 10).rows
    assert [(row.image, (row.image_id or "")[-1:]) for row in rows] == [(None, ""), ("etl:2", "2"), ("etl:1", "1")]
