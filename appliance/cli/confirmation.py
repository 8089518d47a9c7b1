"""The question before what can't be undone."""

from __future__ import annotations

import sys

import click


def confirm(yes: bool, question: str) -> None:
    """Ask, unless the option --yes was given. Raises ClickException if the answer is no, UsageError if there is nobody to ask."""
    if yes:
        return
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:
        _complain_without_terminal()
        raise
    raise click.ClickException("Nothing was done.")


def confirm_name(yes: bool, name: str, question: str) -> None:
    """Have the name of what is to be deleted typed, unless the option --yes was given. Raises as `confirm` does."""
    if yes:
        return
    try:
        answer = click.prompt(question, default="", show_default=False, err=True)
    except click.Abort:
        _complain_without_terminal()
        raise
    if answer != name:
        raise click.ClickException("That is another name; nothing was done.")


def _complain_without_terminal() -> None:
    """Raises UsageError where no terminal is connected; on one, somebody has pressed Ctrl-C."""
    if not sys.stdin.isatty():
        raise click.UsageError("This has to be confirmed, and there is no terminal to ask at; add --yes.")
