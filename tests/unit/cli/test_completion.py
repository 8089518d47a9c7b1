"""Shell completion: the script is printed, and what it asks for is answered."""

from __future__ import annotations

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from appliance.cli.completion import PROGRAM, SHELLS, VARIABLE
from appliance.cli.root import COMMANDS, cli


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_asks_this_program(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert VARIABLE in result.output and PROGRAM in result.output


@pytest.mark.parametrize(
    ("words", "last", "expected"),
    [([], "", set(COMMANDS)), (["limit"], "t", {"timeout"}), (["cancel"], "--rea", {"--reason"})],
)
def test_commands_and_options_are_completed(words: list[str], last: str, expected: set[str]) -> None:
    kind = get_completion_class("bash")
    assert kind is not None
    found = kind(cli, {}, PROGRAM, VARIABLE).get_completions(words, last)
    assert {one.value for one in found} == expected
