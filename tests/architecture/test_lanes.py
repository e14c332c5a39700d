"""The three lanes of `make test` hold every test once, and what they print is counted right."""

from pathlib import Path

from tests import lanes

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_folder_of_a_lane_is_there_and_the_last_lane_leaves_out_just_those() -> None:
    *named, rest = lanes.lanes().values()
    folders = [folder for lane in named for folder in lane]
    assert all((REPOSITORY / folder).is_dir() for folder in folders)
    assert len(set(folders)) == len(folders)
    assert rest[0] == "tests" and [one.removeprefix("--ignore=") for one in rest[1:]] == folders


def test_the_summary_line_of_a_run_is_counted() -> None:
    output = (
        "x\n1 failed in the text\n==== 2 failed, 30 passed, 1 skipped, 2 errors in 12.3s (0:00:12) ====\n"
    )
    assert lanes.counted(output) == {"failed": 2, "passed": 30, "skipped": 1, "error": 2}
    assert lanes.counted("no tests ran") == {}
