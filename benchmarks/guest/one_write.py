"""What keeping one fact in the agent's state database writes to the disk: `one_write.py`, with the agent's Python.

Works on a database of its own beside the real one, so that the same disk and the same settings count.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from archipel_agent.state.database import Database
from archipel_agent.state.store import Store

COUNT = 300


def written() -> int:
    """Return the bytes this process has caused to be written."""
    io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(io["write_bytes"])


def main() -> int:
    """Print the bytes for each fact kept, the share of checkpoints included."""
    place = Path(tempfile.mkdtemp(dir="/var/lib"))
    try:
        database = Database(place / "state.db")
        store = Store(database)
        before = written()
        for number in range(COUNT):
            store.keep(time_floor=f"2026-01-01T00:00:{number % 60:02d}Z")
        database.close()
        print(json.dumps({"bytes": (written() - before) / COUNT}))
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
