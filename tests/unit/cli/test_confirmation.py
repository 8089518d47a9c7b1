"""What can't be undone asks first, and says what to do where nobody can answer."""

from __future__ import annotations

import sys

import click
import pytest
from click.testing import CliRunner, Result

from appliance.cli.confirmation import confirm, confirm_name


@click.command()
@click.option("--yes", is_flag=True)
@click.option("--name")
def delete(yes: bool, name: str | None) -> None:
    if name is None:
        confirm(yes, "Delete it?")
    else:
        confirm_name(yes, name, "Its name")
    click.echo("deleted")


def said(*arguments: str, answer: str = "", code: int) -> str:
    result: Result = CliRunner().invoke(delete, arguments, input=answer)
    assert result.exit_code == code, result.output
    return result.output


def test_it_is_done_when_confirmed() -> None:
    assert "deleted" in said(answer="y\n", code=0)
    assert "deleted" in said("--name", "etl", answer="etl\n", code=0)
    assert said("--yes", code=0) == said("--yes", "--name", "etl", code=0) == "deleted\n"


def test_nothing_is_done_otherwise() -> None:
    assert "Nothing was done." in said(answer="n\n", code=1)
    assert "That is another name; nothing was done." in said("--name", "etl", answer="elt\n", code=1)


@pytest.mark.parametrize("options", [(), ("--name", "etl")])
def test_without_a_terminal_it_names_the_option(options: tuple[str, ...]) -> None:
    assert "there is no terminal to ask at; add --yes" in said(*options, code=2)


@pytest.mark.parametrize("asking", ["confirm", "prompt"])
def test_ctrl_c_on_a_terminal_interrupts(asking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise click.Abort

    monkeypatch.setattr(click, asking, interrupted)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(click.Abort):
        confirm(False, "Delete it?") if asking == "confirm" else confirm_name(False, "etl", "Its name")
