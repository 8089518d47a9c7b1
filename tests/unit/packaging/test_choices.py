"""What `storage` in a project's file may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import FlowBuildError
from appliance.packaging import project_file
from appliance.storage import Bundle, Docker, Git, Http, Local, Module, ObjectStore, Sftp


def said(folder: Path, toml: str) -> Any:
    (folder / "pyproject.toml").write_text(f"[tool.appliance]\nstorage = {toml}\n")
    return project_file.storage_of(folder / "flows.py")


@pytest.mark.parametrize(
    ("toml", "kind", "fields"),
    [
        ("'bundle'", Bundle, {}),
        ("'local'", Local, {"shared": False}),
        ("'shared'", Local, {"shared": True}),
        ("'module'", Module, {"module": None}),
        (
            '{ type = "git", url = "https://host/x.git", ref = "main", token = "FORGE" }',
            Git,
            {"url": "https://host/x.git", "ref": "main", "token": "FORGE"},
        ),
        ('{ type = "object_store", url = "s3://bucket/flows" }', ObjectStore, {"url": "s3://bucket/flows"}),
        (
            '{ type = "docker", base_image = "python:3.13", env = { A = "1" } }',
            Docker,
            {"base_image": "python:3.13", "env": {"A": "1"}},
        ),
        ('{ type = "sftp", url = "sftp://ada@host/flows", key = "KEY" }', Sftp, {"key": "KEY"}),
        ('{ type = "http", url = "https://host/flows", upload = false }', Http, {"uploads": False}),
    ],
)
def test_a_name_or_a_table_is_a_storage(tmp_path: Path, toml: str, kind: type, fields: dict[str, Any]) -> None:
    storage = said(tmp_path, toml)
    assert type(storage) is kind
    assert {name: getattr(storage, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("3", "line 2: storage must be a name or a table"),
        ("'tape'", "line 2: storage must be 'bundle', .*, not 'tape'"),
        ("'git'", "line 2: storage 'git' needs url"),
        ('{ url = "https://host/x" }', "not None"),
        ('{ type = "git", url = "https://host/x", branch = "main" }', "storage has no option 'branch'"),
        ('{ type = "git", url = "https://ada:word@host/x" }', "must not contain credentials"),
        ('{ type = "git", url = "https://host/x", ref = "--x" }', "is not a name of a branch"),
        ('{ type = "http", url = 3 }', "url must be a string"),
    ],
)
def test_what_can_not_be_meant_is_an_error_with_its_line(tmp_path: Path, toml: str, sentence: str) -> None:
    with pytest.raises(FlowBuildError, match=sentence) as caught:
        said(tmp_path, toml)
    assert "word" not in str(caught.value)
