"""What lies on the disk says nothing without the key."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from appliance.agents.attempts import AttemptRecord, AttemptStore
from appliance.agents.sealed_tokens import key_of, seal, unseal

TOKEN = "apl_run_" + "t" * 80


def test_only_the_key_of_the_agent_opens_a_token() -> None:
    run, key = uuid4(), key_of("one")
    sealed = seal(key, run, 1, TOKEN)
    assert unseal(key, run, 1, sealed) == TOKEN
    assert TOKEN not in (
        unseal(key_of("two"), run, 1, sealed),
        unseal(key, run, 2, sealed),
        unseal(key, uuid4(), 1, sealed),
    )


def test_a_record_keeps_its_token_for_an_agent_with_the_same_key(tmp_path: Path) -> None:
    record = AttemptRecord(flow_run_id=uuid4(), attempt=1, pid=1, identity="x", token=TOKEN)
    store = AttemptStore(tmp_path, key_of("one"))
    directory = store.create(record.flow_run_id, 1)
    store.save(directory, record)
    assert not any(TOKEN.encode() in path.read_bytes() for path in directory.iterdir())
    assert [known for _, known, _ in AttemptStore(tmp_path, key_of("one")).load()] == [record]
    assert [known.token == TOKEN for _, known, _ in AttemptStore(tmp_path, key_of("two")).load()] == [False]


def test_a_record_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    run = uuid4()
    directory = AttemptStore(tmp_path).create(run, 1)
    (directory / "job.json").write_text(f'{{"flow_run_id":"{run}","attempt":1,"pid":1,"born":"x","token":"{TOKEN}"}}')
    assert [known.token for _, known, _ in AttemptStore(tmp_path, key_of("one")).load()] == [TOKEN]
