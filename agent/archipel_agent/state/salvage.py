"""Read what can be read out of a damaged SQLite database of k3s into a new one. A program of its own, started by a repair:
`python -m archipel_agent.state.salvage DAMAGED NEW`.

It reads foreign, damaged pages, so it runs apart from the agent and writes nothing but NEW. Rows are read in the order of
their number; where a page cannot be read, the next readable number behind it is looked for, and the gap is counted. What
SQLite's own `.recover` would need is not compiled into every Python. It does not decide what becomes of either file.

Answers with one line of JSON: `whole` (nothing was wrong, NEW is not made), `rows`, `lost` (the numbers that could not be
read) and `problem` (what SQLite said, or why nothing could be saved).
"""

import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

TABLE = "kine"
READABLE, BEYOND_HELP = 0, 3
# The schema of kine as k3s v1.36 makes it; k3s adds indexes that are missing at its start.
SCHEMA = """
CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER,
    create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);
CREATE INDEX kine_name_index ON kine (name);
CREATE INDEX kine_name_id_index ON kine (name, id);
CREATE INDEX kine_id_deleted_index ON kine (id, deleted);
CREATE INDEX kine_prev_revision_index ON kine (prev_revision);
CREATE UNIQUE INDEX kine_name_prev_revision_uindex ON kine (name, prev_revision);
"""
COLUMNS = "id, name, created, deleted, create_revision, prev_revision, lease, value, old_value"

Row = tuple[object, ...]


class BeyondHelp(Exception):
    """Not one row can be read; the message says why."""


def problem(path: Path) -> str:
    """Return what SQLite finds wrong with a database, in its words; empty if it is whole."""
    try:
        with _opened(path) as connection:
            found = connection.execute("PRAGMA integrity_check(3)").fetchall()
            connection.execute(f"SELECT id FROM {TABLE} LIMIT 1")
        said = "; ".join(str(row[0]) for row in found)
        return "" if said == "ok" else said
    except sqlite3.Error as error:
        return str(error)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that changes nothing, not even by moving the log into the file at its end."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def rows(path: Path) -> Iterator[Row]:
    """Return the readable rows in their order; raise BeyondHelp when there are none."""
    query = f"SELECT {COLUMNS} FROM {TABLE} WHERE id > ? ORDER BY id"
    with _opened(path) as connection:
        last, count, highest = 0, 0, _highest(connection)
        problem_met = "it holds no rows"
        while last < highest:
            try:
                for row in connection.execute(query, (last,)):
                    last, count = row[0], count + 1
                    yield row
                break
            except sqlite3.DatabaseError as error:
                problem_met = str(error)
            # The row before the unreadable one is dropped with the error, so each is asked for by itself here.
            single = _next(connection, last + 1)
            if single is None:
                last = _behind_the_gap(connection, last, highest) - 1
            else:
                last, count = int(str(single[0])), count + 1
                yield single
        if not count:
            raise BeyondHelp(problem_met)


def _behind_the_gap(connection: sqlite3.Connection, last: int, highest: int) -> int:
    """Return the first number beyond `last` from which on reading works again; `highest` + 1 if none does."""
    dark, step = last, 1
    while _next(connection, last + step) is None:
        dark = last + step
        if dark >= highest:
            return highest + 1
        step *= 2
    light = last + step
    while light - dark > 1:
        middle = (dark + light) // 2
        dark, light = (middle, light) if _next(connection, middle) is None else (dark, middle)
    return light


def _highest(connection: sqlite3.Connection) -> int:
    """Return the highest number that may be there, by whatever still tells it; raise BeyondHelp."""
    known = []
    why = ""
    for query in (f"SELECT max(id) FROM {TABLE}", f"SELECT seq FROM sqlite_sequence WHERE name = '{TABLE}'"):
        try:
            found = connection.execute(query).fetchone()
            known.append(int(found[0]) if found and found[0] is not None else 0)
        except sqlite3.DatabaseError as error:
            why = str(error)
    if not known:
        raise BeyondHelp(why)
    return max(known)


def _next(connection: sqlite3.Connection, number: int) -> Row | None:
    """Return the next row from `number` on; None if it cannot be read, all of it, or there is none."""
    query = f"SELECT {COLUMNS} FROM {TABLE} WHERE id >= ? ORDER BY id LIMIT 1"
    try:
        found: Row | None = connection.execute(query, (number,)).fetchone()
        return found
    except sqlite3.DatabaseError:
        return None


def salvage(damaged: Path, new: Path) -> tuple[int, int]:
    """Write the readable rows into a new database; return how many, and how many numbers below the last are missing.

    `new` must not be there yet. Whoever asked makes it durable, and removes what a failure leaves of it: this program does
    nothing to files but by SQLite. Raises BeyondHelp and sqlite3.Error.
    """
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {SCHEMA}")
        connection.execute("BEGIN")
        marks = ", ".join("?" for _ in COLUMNS.split(","))
        count = 0
        for row in rows(damaged):
            # A row read twice, or one that contradicts another, does not stop the rest.
            count += connection.execute(f"INSERT OR IGNORE INTO {TABLE} VALUES ({marks})", row).rowcount
        connection.execute("COMMIT")
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise BeyondHelp(f"the new database is not whole: {verdict}")
    finally:
        connection.close()
    return count, _missing(damaged, new)


def _missing(damaged: Path, new: Path) -> int:
    """Return how many rows the damaged one counts by an index beyond those that could be read; 0 where none can tell."""
    try:
        with _opened(damaged) as connection:
            numbered = {
                row[0]
                for row in connection.execute(f"SELECT id FROM {TABLE} INDEXED BY kine_id_deleted_index")
            }
    except sqlite3.Error:
        return 0
    with _opened(new) as connection:
        return len(numbered - {row[0] for row in connection.execute(f"SELECT id FROM {TABLE}")})


def main(damaged: Path, new: Path) -> int:
    """Do it and say what came of it."""
    wrong = problem(damaged)
    answer: dict[str, object] = {"whole": not wrong, "rows": 0, "lost": 0, "problem": wrong[:300]}
    code = READABLE
    if wrong:
        try:
            answer["rows"], answer["lost"] = salvage(damaged, new)
        except (BeyondHelp, sqlite3.Error) as error:
            answer["problem"] = str(error)[:300]
            code = BEYOND_HELP
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
