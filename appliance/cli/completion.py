"""`appliance completion`: the script that teaches a shell to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from appliance.cli.output import echo

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "appliance", "_APPLIANCE_COMPLETE"
EPILOG = """\b
Examples:
  eval "$(appliance completion bash)"           in ~/.bashrc
  eval "$(appliance completion zsh)"            in ~/.zshrc
  appliance completion fish > ~/.config/fish/completions/appliance.fish"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL."""
    kind = get_completion_class(shell)
    assert kind is not None
    echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
