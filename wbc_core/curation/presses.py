"""Key presses that a browser may send more than once: each is written into the log once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from wbc_core.database import presses, transaction
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace, now

LONGEST_CLIENT = 64
"""Most characters of a client's name."""
DAYS_KEPT = 30
"""How long a browser tab that sends nothing is remembered; what it had not sent by then may come twice."""


def last_written(workspace: Workspace, client: str) -> int:
    """Number of the last press of a client that was written; 0 for none.

    Args:
        workspace: The lab.
        client: Name of the browser tab, up to `LONGEST_CLIENT` characters.
    """
    query = select(presses.c.sequence).where(presses.c.client == client)
    with transaction(workspace) as connection:
        return connection.execute(query).scalar() or 0


def write_once(workspace: Workspace, client: str, sequence: int, write: Callable[[], None]) -> bool:
    """Do what a press asks for, unless that was done before.

    What it enters into the log and the note that it did so are one transaction: a server that is killed in
    between has done neither, one that is killed afterwards knows of it when the press comes again.

    Args:
        workspace: The lab.
        client: Name of the browser tab, up to `LONGEST_CLIENT` characters.
        sequence: The press's number, from 1, rising within the client; those below the last one count as
            written.
        write: Enters the press into the log.

    Returns:
        Whether it was written now.

    Raises:
        WbcError: `write` refuses the press. It counts as written, since it would be refused again.
    """
    try:
        with transaction(workspace) as connection:
            if not _note(connection, client, sequence):
                return False
            write()
    except WbcError:
        with transaction(workspace) as connection:
            _note(connection, client, sequence)
        raise
    return True


def _note(connection: Connection, client: str, sequence: int) -> bool:
    """Note a press as written; False where it is noted already."""
    # First of all a write: on SQLite it locks out whoever sends the same press at the same moment.
    later = update(presses).where(presses.c.client == client, presses.c.sequence < sequence)
    if connection.execute(later.values(sequence=sequence, at=now())).rowcount:
        return True
    try:
        with connection.begin_nested():
            connection.execute(insert(presses).values(client=client, sequence=sequence, at=now()))
    except IntegrityError:
        return False
    # A page that was loaded anew has a new name: none of the old ones comes again.
    forgotten = (datetime.now(UTC) - timedelta(days=DAYS_KEPT)).isoformat(timespec="seconds")
    connection.execute(delete(presses).where(presses.c.at < forgotten))
    return True
