"""How long a backup holds up a site's API, and how long a restore on a fresh host takes, beside an `up` in the same run."""

import base64
import json
import statistics
from dataclasses import dataclass

from benchmarks.figure import Figure
from benchmarks.ground import IMAGES, Ground, fresh_host, tell
from tests.hosts.booted import BootedHost
from tests.hosts.offers import K3S

RUNS, QUICK_RUNS = 3, 1
STICK, KEY = "/media/stick", "/root/recovery.key"
BOUND_TIMES, BOUND_PAUSE = 3.0, 1.0
# Run inside the host, which has Python and no curl. Reads and writes every 50 ms until a file appears, one line of seconds
# each; an answer that fails counts as ten.
WATCH = """
import http.client, json, pathlib, subprocess, time

proxy = subprocess.Popen(
    [KUBECTL, "kubectl", "--kubeconfig", "/etc/rancher/k3s/k3s.yaml", "proxy", "--port", "8999"],
    stdout=subprocess.DEVNULL,
)

def ask(method, path, body=None):
    begun = time.monotonic()
    try:
        line = http.client.HTTPConnection("127.0.0.1", 8999, timeout=10)
        line.request(method, path, body, {"Content-Type": "application/merge-patch+json"})
        answer = line.getresponse()
        answer.read()
        line.close()
        return time.monotonic() - begun if answer.status == 200 else 10.0
    except OSError:
        return 10.0

while ask("GET", "/readyz") == 10.0:
    time.sleep(0.1)
pathlib.Path("/tmp/watching").touch()
number = 0
with open("/tmp/answers", "w") as answers:
    while not pathlib.Path("/tmp/enough").exists():
        number += 1
        body = json.dumps({"data": {"n": str(number)}})
        for one in (("GET", "/readyz"), ("PATCH", "/api/v1/namespaces/default/configmaps/watched", body)):
            print(ask(*one), file=answers, flush=True)
        time.sleep(0.05)
proxy.terminate()
"""


@dataclass
class Run:
    """One site that was made, backed up and restored elsewhere; all in seconds."""

    up: float
    restore: float
    pause: float


def timed(host: BootedHost, *words: str) -> float:
    """Run a command of the product and return its seconds by the host's own clock; raise where it fails."""
    script = 'a=$(date +%s.%N); "$@" >&2; code=$?; b=$(date +%s.%N); echo "$a $b"; exit $code'
    done = host.run(["sh", "-c", script, "sh", "archipel", *words], timeout=600).ok()
    first, last = map(float, done.stdout.split())
    return last - first


def longest_answer(host: BootedHost) -> float:
    """Make a backup while the API is read and written; return the seconds of its slowest answer."""
    host.run([K3S, "kubectl", "create", "configmap", "watched"]).ok()
    watching = host.spawn(["python3", "-c", WATCH.replace("KUBECTL", repr(K3S))])
    host.run(["sh", "-c", "until [ -e /tmp/watching ]; do sleep 0.1; done"], timeout=60).ok()
    timed(host, "backup", "now", "--to", STICK)
    host.run(["sh", "-c", "touch /tmp/enough; sleep 1"]).ok()
    watching.stop()
    return max(map(float, host.run(["cat", "/tmp/answers"]).ok().stdout.split()))


def one_run() -> Run:
    """Take one; raise Skipped."""
    with fresh_host(product=True) as host:
        up = timed(host, "up", "--images", IMAGES)
        host.run(["mkdir", "-p", STICK]).ok()
        secret = json.loads(host.run(["archipel", "backup", "key", "new", "--json"]).ok().stdout)["secret"]
        pause = longest_answer(host)
        name = host.run(["ls", STICK]).ok().stdout.split()[0]
        sealed = base64.b64decode(host.run(["base64", "-w0", f"{STICK}/{name}"]).ok().stdout)
    with fresh_host(product=True) as host:
        host.put(sealed, f"{STICK}/{name}")
        host.put(secret.encode(), KEY, 0o600)
        restore = timed(host, "restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes")
    tell(f"up {up:.1f} s, restore {restore:.1f} s, longest answer {pause * 1000:.0f} ms")
    return Run(up, restore, pause)


_TAKEN: list[Run] = []


def taken(ground: Ground) -> list[Run]:
    """Return the runs both figures share."""
    while len(_TAKEN) < (QUICK_RUNS if ground.quick else RUNS):
        _TAKEN.append(one_run())
    return _TAKEN


def restore(ground: Ground) -> Figure:
    """Measure the restore; raise Skipped."""
    runs = taken(ground)
    return Figure(
        name="restore-time",
        title="`archipel restore` on a fresh host, in times of the `up` of the same run",
        unit="x",
        values=tuple(one.restore / one.up for one in runs),
        bound=BOUND_TIMES,
        method=(
            "A booted host is made a site, backed up to a directory, and switched off; a second one, booted anew with the "
            "same k3s and images laid out, gets the backup and the key. Both times from the start of the command to its end."
        ),
        details=(
            f"up {statistics.median(one.up for one in runs):.1f} s, "
            f"restore {statistics.median(one.restore for one in runs):.1f} s",
        ),
    )


def pause(ground: Ground) -> Figure:
    """Measure how long the API is held up; raise Skipped."""
    runs = taken(ground)
    return Figure(
        name="backup-pause",
        title="The slowest answer of a site's API while it is backed up",
        unit="s",
        values=tuple(one.pause for one in runs),
        bound=BOUND_PAUSE,
        method=(
            "A read of /readyz and a write of a ConfigMap every 50 ms, from before `archipel backup now` begins until after "
            "it ends; an answer that fails counts as ten seconds."
        ),
    )
