"""The last words of pods in a crash loop: which files are read, how much of them, and what a check makes of them."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.checks import image_store
from archipel_agent.k3s.pod_logs import last_words
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed
from archipel_contract.findings import Verdict
from archipel_contract.status import Pod
from tests.agent.checks.machines import GOOD, only
from tests.fakes.disk import TreacherousDisk
from tests.fakes.processes import ScriptedRunner

RECORDED = Path(__file__).resolve().parents[2] / "machines/pods/image-damaged.log"
LOGGED = RECORDED.read_text(encoding="utf-8").splitlines()[1]
ENDING = Pod(
    namespace="kube-system",
    name="coredns-1",
    phase="Running",
    ready=False,
    reason="CrashLoopBackOff",
    restarts=3,
)
PLACE = "/var/log/pods/kube-system_coredns-1_1d6a8b52/coredns"


def tail(disk: TreacherousDisk) -> ScriptedRunner:
    """A Runner that prints the end of a file of the disk."""

    def answer(argv: tuple[str, ...]) -> str:
        if not disk.exists(Path(argv[-1])):
            raise CommandFailed("no such file", 1)
        return disk.read(Path(argv[-1])).decode()

    return ScriptedRunner(answer, is_installed=True)


def words(pod: Pod, **files: str) -> tuple[tuple[str, ...], list[str]]:
    disk = TreacherousDisk()
    for name, text in files.items():
        disk.put(Path(name), text.encode())
    runner = tail(disk)
    said = last_words(disk, runner, Paths(), (pod,))
    return said, [argv[-1] for argv in runner.ran]


def test_the_newest_file_of_each_container_is_read_and_its_stamp_left_out() -> None:
    files = {f"{PLACE}/2.log": "old", f"{PLACE}/10.log": LOGGED, f"{PLACE}/10.log.20261122.gz": "packed"}
    files["/var/log/pods/default_other_9/app/0.log"] = "x F y z"
    said, read = words(ENDING, **files)
    assert said == ("kube-system/coredns-1: exec /coredns: exec format error",)
    assert read == [f"{PLACE}/10.log"]


def test_pods_that_run_or_only_wait_are_not_read() -> None:
    for pod in (replace(ENDING, ready=True), replace(ENDING, reason="ContainerCreating")):
        assert words(pod, **{f"{PLACE}/0.log": LOGGED}) == ((), [])


def test_a_pod_without_files_says_nothing() -> None:
    assert words(ENDING) == ((), [])


def test_a_program_that_cannot_be_executed_is_a_damaged_image_and_other_words_are_not_quoted() -> None:
    said = ("kube-system/coredns-1: exec /coredns: exec format error", "default/app-1: password is hunter2")
    one = only(image_store.look(replace(GOOD, pod_words=said)))
    assert (one.code, one.evidence) == ("image-damaged", said[:1])
    assert image_store.look(replace(GOOD, pod_words=said[1:])).verdict is Verdict.OK
