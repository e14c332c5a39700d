"""The rules of writing hold in the whole tree, and each check finds what breaks it."""

import ast
from pathlib import Path

import pytest

from tests.architecture import doors, manners, tree

# These hold the samples of what is forbidden.
SAMPLES = {Path(__file__), Path(manners.__file__)}
HERE = Path("sample.py")


def sample(source: str) -> tree.Module:
    """A module that exists only in this test."""
    return tree.Module(HERE, "sample", source, ast.parse(source))


def written() -> list[tuple[Path, str]]:
    """Every text file of the project but the samples, with its text."""
    return [(p, p.read_text()) for p in tree.files() if tree.is_text(p) and p not in SAMPLES]


@pytest.fixture(scope="module")
def project() -> list[tree.Module]:
    """Every Python file, read once."""
    return tree.python()


def test_every_module_says_what_it_is_for(project: list[tree.Module]) -> None:
    assert manners.without_header(project) == []


def test_every_suppressed_error_names_the_error_and_the_reason(project: list[tree.Module]) -> None:
    assert manners.without_reason([m for m in project if m.path not in SAMPLES]) == []


def test_nothing_in_the_tree_is_marked_unfinished() -> None:
    assert [found for path, text in written() for found in manners.unfinished(path, text)] == []


def test_no_file_names_a_place_that_exists_on_one_machine_only() -> None:
    found = []
    for path, text in written():
        is_test = path.relative_to(tree.REPOSITORY).parts[0] in ("tests", "benchmarks")
        found += manners.places(path, text, is_test)
    assert found == []


@pytest.mark.parametrize("name", tree.PACKAGES)
def test_only_the_doors_write_to_the_disk(name: str) -> None:
    # The disk, and whole trees of files for backups; the logs of processes that outlive the agent; downloads, which are
    # verified before anything is done with them; the acceptance kit, which measures what a write costs on a scratch file;
    # and SQLite, which writes its own files. The controller's are its data directory and the log of its broker.
    may_write = {
        f"archipel_agent/{door}.py"
        for door in (
            "host/disk",
            "host/tree",
            "host/run",
            "host/fetch",
            "host/bench",
            "state/database",
            "link/outbox",
        )
    } | {f"archipel_fleet/host/{door}.py" for door in ("files", "process")}
    modules = [
        module
        for module in tree.package(tree.PACKAGES[name])
        if str(module.path.relative_to(tree.PACKAGES[name].parent)) not in may_write
    ]
    assert [found for module in modules for found in doors.writes(module)] == []


def test_a_module_without_header_is_found_and_an_empty_one_is_not() -> None:
    assert len(manners.without_header([sample("x = 1")])) == 1
    assert manners.without_header([sample('"""What."""\nx = 1'), sample("")]) == []


@pytest.mark.parametrize(
    "line",
    ["x = 1  # type: ignore", "x = 1  # type: ignore[misc]", "x = 1  # noqa", "x = 1  # noqa: E501",
     "x = 1  # type: ignore # because it is", "x = 1  # noqa: F401 -", "x = 1  # type: ignore[misc] # why"],
)  # fmt: skip
def test_a_suppressed_error_without_code_or_reason_is_found(line: str) -> None:
    assert len(manners.without_reason([sample(line)])) == 1


@pytest.mark.parametrize(
    "line",
    ["x = 1  # type: ignore[misc]  # the library types it wrongly", "x = 1  # noqa: S602 - the shell is ours",
     's = "# noqa"', "x = 1  # an ordinary comment"],
)  # fmt: skip
def test_a_suppressed_error_with_code_and_reason_is_let_pass(line: str) -> None:
    assert manners.without_reason([sample(line)]) == []


def test_marks_of_unfinished_work_are_found_as_words_only() -> None:
    assert manners.unfinished(HERE, "# TODO later\nx\n# FIXME") == [
        "sample.py:1 unfinished: # TODO later",
        "sample.py:3 unfinished: # FIXME",
    ]
    assert manners.unfinished(HERE, "METHODOLOGY TODOS mktemp XXXX") == []


def test_places_of_one_machine_are_found() -> None:
    assert len(manners.places(HERE, "see /work/x and\n/home/anna/y\ncd /root/.cache/z", False)) == 3
    assert manners.places(HERE, "net/work/x, https://example.org/work/x, /homework/", False) == []


def test_the_shared_temporary_place_is_found_outside_tests_only() -> None:
    assert len(manners.places(HERE, 'open("/tmp/x")', False)) == 1
    assert manners.places(HERE, 'open("/tmp/x")', True) == []
    assert manners.places(HERE, "/var/tmp/x PrivateTmp", False) == []


@pytest.mark.parametrize(
    "call",
    ['open(path, "w")', 'open(path, mode="ab")', 'path.open("r+")', "path.write_text(text)", "path.unlink()",
     "os.replace(a, b)", "os.fsync(fd)", "shutil.rmtree(path)", "path.parent.mkdir(parents=True)"],
)  # fmt: skip
def test_a_write_to_the_disk_is_found(call: str) -> None:
    assert len(doors.writes(sample(call))) == 1


@pytest.mark.parametrize(
    "call",
    ["open(path)", 'open(path, "rb")', "path.open()", "path.read_text()", "text.replace(a, b)",
     "disk.write(p, b)", "replace(document, generation=1)", 'shutil.which("k3s")',
     'reader.open("wide")', "os.getuid()"],
)  # fmt: skip
def test_reading_and_the_disk_port_are_let_pass(call: str) -> None:
    assert doors.writes(sample(call)) == []
