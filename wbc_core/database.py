"""The lab's database: the decisions, second opinions and jobs, on SQLite or any other SQLAlchemy URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    false,
    text,
)
from sqlalchemy import inspect as inspect_database
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateColumn

from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

BUSY_SECONDS = 60.0
"""So long is a locked SQLite database waited for."""

metadata = MetaData()

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset", String(40), nullable=False),
    Column("row", Integer, nullable=False),
    Column("image_id", String(80), nullable=False),
    Column("action", String(10), nullable=False),
    Column("label", Integer),
    Column("reason", Text, nullable=False, default=""),
    Column("who", String(120), nullable=False),
    Column("at", String(40), nullable=False),
    Column("check", String(60)),
    Column("step", String(40), nullable=False),
    Column("undoes", Integer),
    Column("threshold", Float),
    Index("decisions_by_dataset", "dataset", "id"),
    Index("decisions_by_step", "step"),
    Index("decisions_by_undone", "undoes"),
)

second_opinions = Table(
    "second_opinions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset", String(40), nullable=False),
    Column("row", Integer, nullable=False),
    Column("image_id", String(80), nullable=False),
    Column("action", String(10), nullable=False),
    Column("label", Integer),
    Column("who", String(120), nullable=False),
    Column("at", String(40), nullable=False),
    Column("check", String(60)),
    Column("step", String(40), nullable=False),
    Column("undoes", Integer),
    Index("second_opinions_by_dataset", "dataset", "id"),
)

presses = Table(
    "presses",
    metadata,
    Column("client", String(64), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("at", String(40)),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("progress", Float, nullable=False, default=0.0),
    Column("message", Text, nullable=False, default=""),
    Column("epoch", Integer),
    Column("attempts", Integer, nullable=False, default=0),
    Column("device", String(40)),
    Column("claim", String(40)),
    Column("beats", Integer, nullable=False, default=0),
    Column("heartbeat_at", String(40)),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("error", Text),
    Column("result", JSON),
    Column("created", String(40), nullable=False),
    Column("started", String(40)),
    Column("finished", String(40)),
    Column("earlier_seconds", Float, nullable=False, server_default="0"),
    Column("place", Float),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("usage", JSON),
    Column("died_in_epoch", Integer),
    Column("priority", String(10), nullable=False, server_default="normal"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("queue", String(40), primary_key=True),
    Column("since", String(40), nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("host", String(120), nullable=False),
    Column("devices", String(200), nullable=False),
    Column("beats", Integer, nullable=False, default=0),
    Column("heartbeat_at", String(40), nullable=False),
)


def _add_what_is_missing(engine: Engine) -> None:
    """Give an older lab's tables the columns and indexes that have come since.

    Each column may be empty or has a default.
    """
    with engine.begin() as connection:
        for table in (jobs, decisions, presses):
            there = {column["name"] for column in inspect_database(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in there:
                    definition = CreateColumn(column).compile(dialect=engine.dialect)
                    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {definition}"))
        for index in decisions.indexes:
            index.create(connection, checkfirst=True)


_patience: ContextVar[float] = ContextVar("longest wait for a lock", default=float("inf"))


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Inside the block this thread waits no longer than so for a locked SQLite database."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def _tune_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={round(1000 * min(_patience.get(), BUSY_SECONDS))}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    try:
        # Without a pool a forked or killed process can never share or leave a connection behind.
        engine = create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise WbcError(
            "The database cannot be used.",
            expected="an SQLAlchemy URL such as postgresql+psycopg://user@host/name",
            got=error,
            fix="Correct WBC_DATABASE_URL, or install the extra `postgres`.",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    for attempt in range(3):
        try:
            metadata.create_all(engine)
            _add_what_is_missing(engine)
            return engine
        except DBAPIError as error:
            # Two processes that open a new database at once both make its tables; the loser looks again.
            made_meanwhile = any(word in str(error.orig).lower() for word in ("exist", "unique", "duplicate"))
            if not made_meanwhile or attempt == 2:
                raise WbcError(
                    "The database cannot be used.",
                    got=error.orig,
                    fix="Start it, or correct WBC_DATABASE_URL or the workspace's rights.",
                ) from None
    return engine


def engine_of(workspace: Workspace) -> Engine:
    """The engine of a workspace's database, its tables made if they were missing.

    Raises:
        WbcError: The URL is wrong or the database does not answer.
    """
    if workspace.database_url.startswith("sqlite:///"):
        workspace.home.mkdir(parents=True, exist_ok=True)
    return _engine(workspace.database_url)


_open: ContextVar[tuple[str, Connection] | None] = ContextVar("open transaction", default=None)


@contextmanager
def transaction(workspace: Workspace) -> Iterator[Connection]:
    """A connection whose work is committed at the end of the block, or undone after an error.

    Inside another block of the same workspace and thread it is that block's connection: what both do is
    committed or undone together, at the end of the outer one.
    """
    outer = _open.get()
    if outer is not None and outer[0] == workspace.database_url:
        yield outer[1]
        return
    with engine_of(workspace).begin() as connection:
        token = _open.set((workspace.database_url, connection))
        try:
            yield connection
        finally:
            _open.reset(token)
