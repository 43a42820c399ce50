"""Where runs go: to the server that MLFLOW_TRACKING_URI names, or to the project's own database."""

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

from ncfl.config import layout

WAIT_SECONDS = 120.0  # for whoever else writes the database
# Where the database has absolute addresses.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def server() -> str | None:
    """The tracking server of the environment, as MLflow's own variable names it.

    None stands for the project's own database: no database but that one is written, so that no other kind of address
    counts.
    """
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    return named if named.startswith(("http://", "https://")) else None


def shown(uri: str) -> str:
    """An address for people to read: without the name and the password that it may hold."""
    secret, at, _ = urlsplit(uri).netloc.rpartition("@")
    return uri.replace(secret + at, "", 1)


def database() -> Path:
    """The project's own database."""
    return layout.MLFLOW / "mlflow.db"


def local_address() -> str:
    """The address of the project's own database, as MLflow takes it."""
    return f"sqlite:///{database().resolve()}"


def address() -> str:
    """Where runs go, as MLflow takes it."""
    return server() or local_address()


def artifacts() -> str | None:
    """Where artifacts lie, as MLflow keeps it: an absolute address. None leaves that to the server."""
    return None if server() else (layout.MLFLOW / "artifacts").resolve().as_uri()


def relocate(path: Path, here: str) -> int:
    """Tell a database of a project that was moved or copied where its artifacts lie now.

    MLflow keeps absolute addresses, of experiments, runs and models: those that end in the project's own folder for
    artifacts get the address ``here``.

    Returns:
        How many addresses were changed.
    """
    changed = 0
    tail = f"/{layout.MLFLOW.as_posix()}/artifacts"
    with contextlib.closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as connection, connection:
        for table, column in _ADDRESSES:
            rows = connection.execute(f"select rowid, {column} from {table}").fetchall()
            for row, address in rows:
                root, found, rest = (address or "").partition(tail)
                if found and root + found != here:
                    connection.execute(f"update {table} set {column} = ? where rowid = ?", (here + rest, row))
                    changed += 1
    return changed


def create_database() -> bool:
    """Create the database under another name and rename it, so that a kill leaves none rather than half.

    Returns:
        Whether there was none.
    """
    final = database()
    if final.exists():
        return False
    from mlflow import MlflowClient

    temporary = layout.MLFLOW / "creating.db"
    temporary.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{temporary.resolve()}").search_experiments(max_results=1)
    temporary.replace(final)
    return True
