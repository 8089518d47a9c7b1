"""The options that say how runs are started: environment variables, and a file with a whole run config."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Variable(click.ParamType[Any]):
    """`NAME=VALUE`, the value as it is."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, sign, text = str(value).partition("=")
        if not sign or not name:
            self.fail(f"{value!r} is not in the form NAME=VALUE; write it like --env MODE=full.", param, ctx)
        return name, text


def run_config_options(command: F) -> F:
    """--env and --run-config."""
    for option in (
        click.option(
            "--run-config",
            "run_config_file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A file in JSON or TOML with a run config, over the flow's own; one of another type replaces it.",
        ),
        click.option(
            "--env", "env", multiple=True, type=Variable(), help="An environment variable of its runs (repeatable)."
        ),
    ):
        command = option(command)
    return command


def run_config_of(file: Path | None, env: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What the two options say; empty if they say nothing. Raises UsageError."""
    config = {} if file is None else _read(file)
    variables = config.get("env")
    if env:
        config["env"] = {**(variables if isinstance(variables, dict) else {}), **dict(env)}
    return config


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        config = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{file} can't be read: {error}.") from error
    if not isinstance(config, dict):
        raise click.UsageError(f'{file} has no run config; write one such as {{"type": "docker", "image": "etl:1"}}.')
    return config
