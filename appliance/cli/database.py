"""The database before the server starts: checked, with the current schema, and with a first user or a setup link."""

from __future__ import annotations

import logging
import threading

from appliance.cli.apart import apart
from appliance.cli.output import echo
from appliance.cli.prepare import StartError, reason
from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions import restored, setup
from appliance.server.db import migrate, sqlite, start_check
from appliance.server.db.session import Database, open_database
from appliance.server.errors import ServerError

CLAIM_POLL = 1.0  # seconds
log = logging.getLogger(__name__)


def opened(settings: Settings) -> Database:
    """Check SQLite's files, upgrade the schema and open the database. A schema newer than this version is refused."""
    file = sqlite.file_of(settings.database)
    try:
        if file is not None:
            _check_library()
            start_check.check(file)
        if not migrate.is_current(settings.database):
            # in a process of its own, so that the modules this loads don't stay in the memory of long-running ones
            apart("upgrades the database", lambda: migrate.upgrade(settings.database))()
        if file is not None:
            start_check.begin_generation(file)
        db = open_database(settings)
        restored.settle(db, clock.now())
        return db
    except ServerError as error:
        raise StartError(error.message) from error
    except OSError as error:
        raise StartError(
            f"The database can't be used ({reason(error)}); check the disk and the rights of its file."
        ) from error


def _check_library() -> None:
    if not sqlite.is_sound():
        log.warning(
            "SQLite %s can corrupt a database in rare cases; install the wheel pysqlite3, or SQLite %s or newer.",
            sqlite.VERSION,
            ".".join(map(str, sqlite.SOUND)),
        )


def leave_one_file(settings: Settings) -> None:
    """After everything has stopped: fold SQLite's write-ahead log, so that the database is one file again."""
    file = sqlite.file_of(settings.database)
    if file is not None:
        start_check.fold(file)


def first_user(settings: Settings, db: Database) -> str | None:
    """Create the administrator named in the settings. If there is none and no user exists, return the one-time setup link."""
    try:
        if settings.admin_password or settings.admin_token:
            must_change = settings.change_preset_password
            setup.ensure_admin(db, settings.admin_password, settings.admin_token, must_change=must_change)
            return None
        if not setup.setup_required(db):
            return None
        return setup.setup_link(settings, setup.create_setup_token(db))
    except ServerError as error:
        raise StartError(error.message) from error


def wait_until_claimed(db: Database) -> None:
    """Return once somebody has used the setup link."""
    pause = threading.Event()  # never set; SIGTERM ends this process anyway
    while setup.setup_required(db):
        pause.wait(CLAIM_POLL)


def announce(settings: Settings, link: str | None) -> None:
    """Print where the appliance is and, on the very first start, how to claim it."""
    echo(f"Appliance is starting at {settings.local_url} with data in {settings.data_path}.", err=True)
    if settings.development:
        log.warning(
            "APPLIANCE_DEVELOPMENT is on: any password is accepted, however short. Turn it off before others use the appliance."
        )
    if link is not None:
        validity = f"It is valid once, for {setup.LINK_HOURS} hours"
        echo(f"No user exists yet. Open this link to create the administrator:\n\n    {link}\n\n{validity}.", err=True)
