"""The help of the command line: examples where a user needs them, and one phrase for an option that several commands share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from appliance.cli.root import cli

MANY = 4
"""A command with this many options of its own has examples."""
ONE_PHRASE = ("--json", "--yes", "--wait", "--limit", "--no-labels", "--from-task", "--cron", "--map-index")
STYLE = re.compile(r"[A-Z`].*[^.]( \[[^]]+\])?\.", re.DOTALL)
"""A sentence: a capital first, one full stop at the end."""


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command and group with its full name."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield from walk(subcommand, (*path, name))


def options(command: click.Command) -> list[click.Option]:
    return [option for option in command.params if isinstance(option, click.Option)]


def lacks_examples(command: click.Command) -> bool:
    own = [option for option in options(command) if option.name not in ("json_output", "reason")]
    needs = isinstance(command, click.Group) or len(own) >= MANY
    return needs and "\nExample" not in (command.epilog or "")


COMMANDS = dict(walk(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name: str) -> None:
    assert not lacks_examples(COMMANDS[name]), "add an epilog with examples"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_sentence(name: str) -> None:
    unclear = [o.opts[0] for o in options(COMMANDS[name]) if not STYLE.fullmatch(o.help or "")]
    assert not unclear


@pytest.mark.parametrize("option", ONE_PHRASE)
def test_a_shared_option_has_one_phrase(option: str) -> None:
    phrases: dict[str | None, list[str]] = defaultdict(list)
    for name, command in COMMANDS.items():
        for one in options(command):
            if option in one.opts:
                phrases[one.help].append(name)
    assert len(phrases) == 1, dict(phrases)


def test_reasons_say_where_they_are_recorded() -> None:
    helps = {one.help for command in COMMANDS.values() for one in options(command) if "--reason" in one.opts}
    assert all(text is not None and re.match(r"Reason to (record|show) ", text) for text in helps)


def test_a_command_without_examples_is_reported() -> None:
    many = [click.Option([f"--option-{number}"]) for number in range(MANY)]
    assert lacks_examples(click.Group("group"))
    assert lacks_examples(click.Command("command", params=[*many]))
    assert not lacks_examples(click.Command("command", params=[*many[1:]]))
    assert not lacks_examples(click.Command("command", params=[*many], epilog="\b\nExample:\n  appliance version"))


@pytest.mark.parametrize("text", ["", "at most so many.", "No full stop", "Two..", "Due time [now]"])
def test_a_help_text_that_is_not_a_sentence_is_reported(text: str) -> None:
    assert not STYLE.fullmatch(text)
