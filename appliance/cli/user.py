"""`appliance user`: the people who may sign in, their roles, passwords and sessions."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.identifiers import UserId
from appliance.cli.options import key_option, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.protocol.users import ChangePassword, CreateUser, EditUser, Role, SetPassword, UserView

EPILOG = """\b
Examples:
  appliance user create maria --role operator
  appliance user create ci --role viewer --password-file /run/secrets/ci
  appliance user password maria
  appliance user edit maria --role admin
  appliance user disable maria
  appliance user sign-out maria"""
CREATE_EPILOG = """\b
Examples:
  appliance user create maria --role operator
  appliance user create kiosk --password-file /run/secrets/kiosk --no-must-change"""
CHANGE_EPILOG = """\b
Examples:
  appliance user password
  appliance user password --current-password-file old.txt --password-file new.txt
  appliance user password maria
  appliance user password ci --password-file /run/secrets/ci --no-must-change"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ROLE = click.Choice(["viewer", "operator", "admin"])


@click.group(epilog=EPILOG)
def user() -> None:
    """Create, list, change, disable, and delete users, and end their sessions."""


@user.command(epilog=CREATE_EPILOG)
@click.argument("name")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What the user may do.")
@click.option(
    "--password-file",
    type=_FILE,
    help="Read the password from a file instead of prompting for it.",
)
@click.option(
    "--must-change/--no-must-change",
    default=True,
    help="Whether NAME must choose another password at the first sign-in [--must-change].",
)
@key_option
@as_json
def create(name: str, role: Role, password_file: Path | None, must_change: bool, json_output: bool) -> None:
    """Create a user."""
    from appliance.client import admin

    password = _read(password_file, "Password", twice=True)
    created = admin.create_user(
        connect(), CreateUser(username=name, password=password, role=role, must_change=must_change)
    )
    if json_output:
        print_json(created)
    else:
        rest = "; the password must be changed at the first sign-in" if created.must_change_password else ""
        echo(f"User {created.username} created with role {created.role}{rest}.")


@user.command("list")
@as_json
def list_users(json_output: bool) -> None:
    """List users."""
    from appliance.client import admin

    users = admin.users(connect())
    if json_output:
        print_json(users)
        return
    rows = ((u.username, u.role, u.created, _notes(u)) for u in users)
    print_table(("NAME", "ROLE", "CREATED", ""), rows, "No users exist.")


@user.command(epilog="\b\nExample:\n  appliance user edit maria --role operator")
@click.argument("user_id", type=UserId(), metavar="NAME")
@click.option("--role", type=_ROLE, required=True, help="What the user may do from now on.")
@key_option
@as_json
def edit(user_id: UUID, role: Role, json_output: bool) -> None:
    """Change NAME's role. It takes effect at once."""
    _edit(user_id, EditUser(role=role), json_output)


@user.command()
@click.argument("user_id", type=UserId(), metavar="NAME")
@key_option
@as_json
def disable(user_id: UUID, json_output: bool) -> None:
    """Keep NAME out: ends their sessions, and their tokens stop working until `appliance user enable`."""
    _edit(user_id, EditUser(disabled=True), json_output)


@user.command()
@click.argument("user_id", type=UserId(), metavar="NAME")
@key_option
@as_json
def enable(user_id: UUID, json_output: bool) -> None:
    """Let NAME, who was disabled, in again. Their tokens work again, too."""
    _edit(user_id, EditUser(disabled=False), json_output)


@user.command()
@click.argument("user_id", type=UserId(), metavar="NAME")
@yes_option
@key_option
def delete(user_id: UUID, yes: bool) -> None:
    """Delete NAME with their sessions and tokens. Histories keep the name."""
    from appliance.client import admin

    confirm(yes, "Delete this user with all of their tokens?")
    admin.delete_user(connect(), user_id)
    echo("User deleted.")


@user.command()
@click.argument("user_id", type=UserId(), metavar="[NAME]", required=False)
@as_json
def sessions(user_id: UUID | None, json_output: bool) -> None:
    """List the browsers in which you are signed in, or NAME is."""
    from appliance.client import admin

    listed = admin.sessions(connect(), user_id)
    if json_output:
        print_json(listed)
        return
    rows = (
        (s.created, s.last_used, s.expires_at, s.browser or "unknown", s.address or "unknown", s.id) for s in listed
    )
    print_table(("SIGNED IN", "LAST USED", "EXPIRES", "BROWSER", "FROM", "ID"), rows, "No browser is signed in.")


@user.command("sign-out")
@click.argument("user_id", type=UserId(), metavar="NAME")
@key_option
def sign_out(user_id: UUID) -> None:
    """Sign NAME out of every browser. Their password and tokens keep working."""
    from appliance.client import admin

    admin.end_sessions(connect(), user_id)
    echo("Signed out of every browser.")


@user.command("password", epilog=CHANGE_EPILOG)
@click.argument("user_id", type=UserId(), metavar="[NAME]", required=False)
@click.option("--password-file", type=_FILE, help="Read the new password from a file instead of prompting for it.")
@click.option(
    "--current-password-file", type=_FILE, help="Read your current password from a file instead of prompting for it."
)
@click.option(
    "--must-change/--no-must-change",
    default=None,
    help="Whether NAME must choose another password at the next sign-in [--must-change].",
)
@key_option
@as_json
def change_password(
    user_id: UUID | None,
    password_file: Path | None,
    current_password_file: Path | None,
    must_change: bool | None,
    json_output: bool,
) -> None:
    """Change your own password, or set NAME's as an administrator. Ends the user's browser sessions; tokens keep working."""
    if user_id is None:
        if must_change is not None:
            raise click.UsageError("--must-change is for another user's password; add the user's NAME.")
        _change_own(current_password_file, password_file, json_output)
    else:
        if current_password_file is not None:
            raise click.UsageError("--current-password-file is for your own password; leave out the user's NAME.")
        _set_for(user_id, password_file, must_change is not False, json_output)


def _edit(user_id: UUID, request: EditUser, json_output: bool) -> None:
    from appliance.client import admin

    changed = admin.edit_user(connect(), user_id, request)
    if json_output:
        print_json(changed)
    else:
        echo(
            f"User {changed.username} has the role {changed.role} and {'is disabled' if changed.disabled else 'may sign in'}."
        )


def _change_own(current_file: Path | None, new_file: Path | None, json_output: bool) -> None:
    from appliance.client import admin

    current = _read(current_file, "Current password")
    new = _read(new_file, "New password", twice=True)
    me = admin.change_password(connect(), ChangePassword(current=current, new=new))
    if json_output:
        print_json(me)
    else:
        echo(f"Password of {me.username} changed.")


def _set_for(user_id: UUID, new_file: Path | None, must_change: bool, json_output: bool) -> None:
    from appliance.client import admin

    new = _read(new_file, "New password", twice=True)
    changed = admin.set_password(connect(), user_id, SetPassword(password=new, must_change=must_change))
    if json_output:
        print_json(changed)
    else:
        echo(f"Password of {changed.username} set{'; it must be changed at the next sign-in' if must_change else ''}.")


def _read(file: Path | None, prompt: str, *, twice: bool = False) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    password: str = click.prompt(prompt, hide_input=True, confirmation_prompt=twice)
    return password


def _notes(user: UserView) -> str:
    notes = (("disabled", user.disabled), ("must change password", user.must_change_password))
    return ", ".join(note for note, applies in notes if applies)
