"""A SQLite file with damage anywhere: the appliance starts, or says in a sentence that the database is damaged."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from appliance.cli import database, prepare
from appliance.cli.root import invoke
from appliance.config import Settings
from appliance.server.db.sqlite import dbapi
from tests.depth import examples


def test_damage_anywhere_ends_in_a_sentence(sqlite_template: Path, tmp_path: Path) -> None:
    whole = sqlite_template.read_bytes()
    refused = 0
    for seed in range(examples(200)):
        luck = random.Random(seed)
        content = bytearray(whole)
        for _ in range(luck.choice([1, 3, 20, 200])):
            at, length = luck.randrange(100, 60_000), luck.choice([1, 4, 64])
            content[at : at + length] = luck.choice([luck.randbytes(length), bytes(length)])
        sentence = started(tmp_path, bytes(content))
        assert sentence is None or "appliance backup restore" in sentence, (seed, sentence)
        refused += sentence is not None
    assert refused


@pytest.mark.parametrize(
    "statements", ["create table other (x)", "drop table alembic_version", "delete from alembic_version"]
)
def test_tables_without_a_version_are_not_touched(sqlite_template: Path, tmp_path: Path, statements: str) -> None:
    file = tmp_path / "made.db"
    if "other" not in statements:
        file.write_bytes(sqlite_template.read_bytes())
    with closing(dbapi.connect(file)) as connection:
        connection.execute(statements)
        connection.commit()
        connection.execute("pragma journal_mode=delete")
    sentence = started(tmp_path, file.read_bytes())
    assert sentence is not None
    assert sentence.startswith("The database has tables, but no record of the appliance's version")


def started(folder: Path, content: bytes) -> str | None:
    """Why an appliance with this database doesn't start; None if it does."""
    for file in folder.glob("appliance.db*"):
        file.unlink()
    (folder / "appliance.db").write_bytes(content)
    try:
        database.opened(Settings(data_dir=str(folder))).dispose()
    except prepare.StartError as error:
        return error.message
    return None


@pytest.mark.parametrize("words", [b"CREATE T\xb3BLE", b"CREATE TABEL"])
def test_commands_about_a_damaged_file_end_in_a_sentence(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: bytes
) -> None:
    (tmp_path / "appliance.db").write_bytes(sqlite_template.read_bytes().replace(b"CREATE TABLE", words))
    for command in (["backup", "create"], ["doctor", "rows"]):
        assert invoke([*command, "--data-dir", str(tmp_path)]) == 1
        assert "Error: The database is damaged; " in capsys.readouterr().err
    assert not list(tmp_path.glob("backups/*"))
