"""The UI's generated half of the GraphQL contract: what an operation becomes, which operations are refused, and that it is current."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from graphql import GraphQLSchema, Source, build_schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def contract() -> ModuleType:
    spec = importlib.util.spec_from_file_location("graphql_contract", ROOT / "deploy" / "ci" / "graphql_contract.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(
        """
        scalar JSON
        scalar UUID
        enum Mark { GOOD BAD }
        input Range { start: String!, end: String = null, inner: Range, most: Int! = 3 }
        input Change { id: UUID!, mark: Mark!, range: Range, ids: [UUID!] = null, value: JSON }
        type Tag { name: String!, owner: Tag }
        type Run { id: UUID!, parameters: JSON!, tags: [Tag!]!, holes: [Tag]!, mark: Mark }
        type Query { run(id: UUID!): Run }
        type Mutation { change(input: Change!): Run! }
        """
    )


def generate(contract: ModuleType, schema: GraphQLSchema, text: str) -> str:
    return " ".join(contract.generate(schema, [Source(text, "sample.graphql")]).split())


def test_a_query_becomes_its_result_its_variables_and_its_document(contract: ModuleType, schema: GraphQLSchema) -> None:
    text = "query One($id: UUID!, $with: Boolean = false) { run(id: $id) { id tags { name } holes { name } } }"
    module = generate(contract, schema, text.replace("holes {", "holes @include(if: $with) {"))
    assert (
        "export type OneQuery = { run: { id: string; tags: { name: string; }[]; holes?: ({ name: string; } | null)[]; } | null; };"
        in module
    )
    assert "export type OneQueryVariables = { id: string; with?: boolean | null; };" in module
    assert 'export const OneDocument: Document<OneQuery, OneQueryVariables> = { text: "query One($id:UUID!' in module


def test_fragments_keep_their_names_alone_and_are_merged_beside_fields(
    contract: ModuleType, schema: GraphQLSchema
) -> None:
    fragment = "fragment Named on Tag { name } fragment Never on Tag { owner { name } }"
    alone = generate(
        contract,
        schema,
        "query A($id: UUID!) { run(id: $id) { tags { ...Named } } } "
        + fragment
        + " query B($id: UUID!) { run(id: $id) { tags { ...Never } } }",
    )
    assert "export type NamedFragment = { name: string; };" in alone and "tags: NamedFragment[];" in alone
    document = alone.split("ADocument")[1].split("};")[0]
    assert "fragment Named on Tag{name}" in document and "Never" not in document
    beside = generate(
        contract,
        schema,
        "query A($id: UUID!) { run(id: $id) { tags { owner { ...Named } ...Named owner { owner { name } } } } } fragment Named on Tag { name }",
    )
    assert "tags: { owner: { name: string; owner: { name: string; } | null; } | null; name: string; }[];" in beside


def test_inputs_and_enums_come_with_the_variables_that_need_them(contract: ModuleType, schema: GraphQLSchema) -> None:
    module = generate(contract, schema, "mutation Set($input: Change!) { change(input: $input) { id parameters } }")
    assert 'export type Mark = "GOOD" | "BAD";' in module
    assert (
        "export interface Change { id: string; mark: Mark; range?: Range | null; ids?: string[] | null; value?: unknown; }"
        in module
    )
    assert (
        "export interface Range { start: string; end?: string | null; inner?: Range | null; most?: number; }" in module
    )
    assert "parameters: unknown;" in module


@pytest.mark.parametrize(
    "text",
    [
        "query Wrong($id: UUID!) { run(id: $id) { nam } }",
        "query Wrong($id: String) { run(id: $id) { id } }",
        "mutation Wrong { change(input: {id: 1}) { id } }",
        "fragment Unused on Tag { name } query Right($id: UUID!) { run(id: $id) { id } }",
        "query ($id: UUID!) { run(id: $id) { id } }",
    ],
)
def test_what_the_server_would_refuse_is_refused(contract: ModuleType, schema: GraphQLSchema, text: str) -> None:
    with pytest.raises(contract.ContractError):
        generate(contract, schema, text)


def test_the_generated_files_are_current(contract: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_file_is_an_error_and_is_not_touched(
    contract: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stale = tmp_path / "ui" / "src" / "generated.ts"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    monkeypatch.setattr(contract, "outputs", lambda: {stale: "new"})
    assert contract.main(["--check"]) == 1 and stale.read_text() == "old"
    assert "generated.ts differs" in capsys.readouterr().err
    assert contract.main([]) == 0 and stale.read_text() == "new"
    assert contract.main(["--check"]) == 0
