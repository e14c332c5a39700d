"""The count of what was skipped."""

import pytest

from tests.guards.conftest import Guarded

pytestmark = [pytest.mark.real_process, pytest.mark.timeout(60)]


def test_skips_are_counted_by_reason_and_the_summary_line_comes_last(guarded: Guarded) -> None:
    result = guarded(
        """
        import pytest
        @pytest.mark.parametrize("n", range(3))
        def test_a(n): pytest.skip("no k3s here")
        @pytest.mark.skip(reason="not root")
        def test_b(): pass
        def test_c(): pass
        """
    )
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(["*skipped, by reason*", "     3  no k3s here", "     1  not root"])
    assert "1 passed, 4 skipped" in result.outlines[-1]


def test_nothing_is_said_when_nothing_was_skipped(guarded: Guarded) -> None:
    result = guarded("def test_c(): pass")
    result.stdout.no_fnmatch_line("*by reason*")
