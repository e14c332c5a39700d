"""Many clients in one process, each a real TLS connection with a certificate of its own and a minimal MQTT CONNECT.

Started by `tls_reconnect` as a program: `python -m benchmarks.handshakes PORT DIRECTORY FIRST COUNT SPREAD SEED PATIENCE`.
It says when it is ready, reads one line before it begins, prints what became of all as one line of JSON, and keeps the
connections until its input ends. Over asyncio rather than the carrier, so that clients cost less than the broker.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from asyncio import sslproto
from pathlib import Path

from archipel_contract.link import secure

CONNACK = b"\x20\x02\x00\x00"
# What asyncio sets aside for each TLS connection: a record instead of 256 KiB, or thousands would not fit.
sslproto.SSLProtocol.max_size = 16 << 10


async def client(
    context: ssl.SSLContext, name: str, port: int, delay: float, patience: float
) -> "tuple[float, float, object]":
    """Connect after `delay`; return when that was done and how long it took, or why not."""
    await asyncio.sleep(delay)
    began = time.monotonic()
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="127.0.0.1", ssl_handshake_timeout=patience
            )
            identifier = name.encode()
            writer.write(b"\x10" + bytes([12 + len(identifier)]) + b"\x00\x04MQTT\x04\x02\x02\x58\x00")
            writer.write(bytes([len(identifier)]) + identifier)
            answer = await reader.readexactly(4)
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        return time.monotonic(), time.monotonic() - began, repr(error)
    if answer != CONNACK:
        return time.monotonic(), time.monotonic() - began, repr(answer)
    return time.monotonic(), time.monotonic() - began, writer


def _context(directory: Path, name: str) -> ssl.SSLContext:
    path = directory / f"{name}.pem"
    return secure.client_context([(directory / "ca.pem").read_text()], path, path, check_time=True)


async def crowd(
    port: int, directory: Path, names: list[str], spread: float, seed: int, patience: float
) -> None:
    """Connect all within `spread` seconds, say what became of them, and keep the connections."""
    chance = random.Random(seed)
    contexts = [_context(directory, name) for name in names]
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    tasks = [
        client(context, name, port, chance.random() * spread, patience)
        for context, name in zip(contexts, names, strict=True)
    ]
    done = await asyncio.gather(*tasks)
    said = [
        {"at": at - began, "took": took, "failed": why if isinstance(why, str) else ""}
        for at, took, why in done
    ]
    print(json.dumps(said), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for _, _, one in done:
        if isinstance(one, asyncio.StreamWriter):
            one.transport.abort()


def main() -> None:
    """Read the words of the command line."""
    port, directory, first, count, spread, seed, patience = sys.argv[1:]
    names = [f"n-{number:016d}" for number in range(int(first), int(first) + int(count))]
    asyncio.run(crowd(int(port), Path(directory), names, float(spread), int(seed), float(patience)))


if __name__ == "__main__":
    main()
