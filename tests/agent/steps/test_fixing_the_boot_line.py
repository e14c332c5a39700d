"""The repair of a Raspberry Pi without memory control, and its way back: refusals, power cuts, other people's changes."""

import errno
from pathlib import Path

import pytest

from archipel_agent.host.boot_line import BACKUP_SUFFIX
from archipel_agent.settings import Settings
from archipel_agent.steps import fixing_boot_line
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from tests.chaos.node import Node
from tests.fakes.power import PowerCut

CODE = "memory-cgroup-off-pi"
PATH = Path("/boot/firmware/cmdline.txt")
BACKUP = PATH.with_name(PATH.name + BACKUP_SUFFIX)
LINE = b"console=tty1 root=PARTUUID=9ab1c2d3-02 rootwait\n"
FIXED = b"console=tty1 root=PARTUUID=9ab1c2d3-02 rootwait cgroup_memory=1 cgroup_enable=memory\n"


def pi(data: bytes | None = LINE) -> Node:
    node = Node()
    if data is not None:
        node.disk.put(PATH, data, 0o755)
    return node


def fix(node: Node, key: str = "fix") -> Job:
    return node.do(JobRequest(verb=Verb.FIX, options={"code": CODE}, key=key))


def undo(node: Node, key: str = "undo") -> Job:
    return node.do(JobRequest(verb=Verb.FIX, options={"code": CODE, "undo": True}, key=key))


def node_context(node: Node) -> Context:
    options = parse(Verb.FIX, {"code": CODE})
    return Context(
        verb=Verb.FIX,
        options=options,
        ports=node.ports,
        paths=node.paths,
        settings=Settings(),
        store=node.store,
        node_id="",
    )


def test_the_words_are_added_once_and_the_file_as_it_was_lies_beside_it() -> None:
    node = pi()
    job = fix(node)
    assert job.state is JobState.SUCCEEDED
    assert "sudo systemctl reboot" in job.sentence
    assert node.disk.read(PATH) == FIXED
    assert node.disk.read(BACKUP) == LINE
    assert node.disk.mode(PATH) == 0o755
    again = fix(node, "again")
    assert "asks for it already" in again.steps[0].said
    assert node.disk.read(PATH) == FIXED
    assert node.disk.read(BACKUP) == LINE


def test_a_plan_says_which_words_go_where_and_what_would_refuse_it() -> None:
    def foreseen(data: bytes | None) -> str:
        return fixing_boot_line.foresee(node_context(pi(data)))

    assert foreseen(LINE) == f"cgroup_memory=1 cgroup_enable=memory to {PATH}"
    assert foreseen(b"a\nb\n") == f"{PATH} should be one line; it has 2"
    assert "is not there" in foreseen(None)


def test_the_way_back_puts_the_file_back_and_leaves_nothing() -> None:
    node = pi()
    fix(node)
    assert undo(node).state is JobState.SUCCEEDED
    assert node.disk.read(PATH) == LINE
    assert not node.disk.exists(BACKUP)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "boot-line-missing"),
        (b"console=tty1\ncgroup_enable=memory\n", "boot-line-several"),
        (b"", "boot-line-several"),
    ],
)
def test_a_file_that_is_missing_or_not_one_line_is_left_alone(data: bytes | None, code: str) -> None:
    node = pi(data)
    job = fix(node)
    assert job.finding is not None
    assert (job.state, job.finding.code, job.changed_nothing) == (JobState.FAILED, code, True)
    assert not node.disk.exists(BACKUP)
    assert data is None or node.disk.read(PATH) == data


def test_a_boot_partition_that_can_only_be_read_is_its_own_refusal() -> None:
    node = pi()
    real = node.disk.write

    def write(path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        if path.is_relative_to(PATH.parent):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        real(path, data, mode, wipes)

    node.disk.write = write  # type: ignore[method-assign]  # only this one directory refuses
    job = fix(node)
    assert job.finding is not None
    assert (job.finding.code, job.finding.params["path"]) == ("boot-partition-read-only", str(PATH.parent))
    assert node.disk.read(PATH) == LINE


def test_what_somebody_changed_since_is_not_taken_back() -> None:
    node = pi()
    fix(node)
    node.disk.put(PATH, FIXED.replace(b"rootwait", b"rootwait quiet"), 0o755)
    job = undo(node)
    assert job.finding is not None
    assert (job.finding.code, job.changed_nothing) == ("boot-line-changed", True)
    assert b"quiet" in node.disk.read(PATH)


def test_there_is_no_way_back_from_what_was_never_done() -> None:
    assert undo(pi()).steps[0].said == f"{PATH} does not ask for it"
    node = pi(FIXED)  # somebody else's words
    job = undo(node)
    assert job.finding is not None
    assert (job.finding.code, job.changed_nothing) == ("boot-line-untouched", True)
    assert node.disk.read(PATH) == FIXED


def test_a_repair_that_changed_nothing_of_a_persons_has_no_way_back() -> None:
    job = pi().do(JobRequest(verb=Verb.FIX, options={"code": "k3s-files-empty", "undo": True}, key="x"))
    assert job.finding is not None
    assert (job.finding.code, job.changed_nothing) == ("no-undo", True)


@pytest.mark.parametrize("way", ["there", "and back"])
def test_a_power_cut_at_any_instant_leaves_a_line_that_starts_and_the_repair_goes_on(way: str) -> None:
    instant = 0
    while True:
        instant += 1
        node = pi()
        if way == "and back":
            fix(node)
        act, wanted = (fix, FIXED) if way == "there" else (undo, LINE)
        node.power.crash_at(instant)
        try:
            act(node)
        except PowerCut:
            node.come_back()
            assert node.disk.read(PATH) in (LINE, FIXED)  # never torn, never empty
            assert not node.disk.exists(BACKUP) or node.disk.read(BACKUP) == LINE
            assert act(node).state is JobState.SUCCEEDED
            assert node.disk.read(PATH) == wanted
        else:
            break
    assert instant > 10
