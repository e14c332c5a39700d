#!/bin/bash
# Runs the tests that are too long for CI and keeps what they said.
#
# Called by `make prove`; arguments go to pytest. The whole output, with the seed each test prints, is shown and written to
# docs/proofs/DATE-COMMIT.txt below a head that says what was run where. A failed proof is kept as well: its seeds are
# what one wants to have.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(git rev-parse --short HEAD 2>/dev/null || echo uncommitted)
if [ -n "$(git status --porcelain 2>/dev/null | head -n 1)" ]; then commit=$commit-changed; fi
mkdir -p docs/proofs
proof=docs/proofs/$(date -u +%Y-%m-%d)-$commit.txt

{
    echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
    echo "commit    $commit"
    echo "machine   $(uname -m), $(nproc) processors, kernel $(uname -r)"
    echo "python    $(.venv/bin/python --version | cut -d' ' -f2)"
    echo "arguments -m prove $*"
    echo
} >"$proof"

# -s lets each test print its seed as it goes; the seeds matter most for a run that is cut.
status=0
.venv/bin/python -m pytest -m prove -s --no-header "$@" 2>&1 | tee -a "$proof" || status=$?
if [ "$status" -eq 5 ]; then
    rm -f "$proof"
    echo "prove: no test is marked prove, so there is nothing to keep" >&2
    exit 1
fi
echo "prove: kept in $proof"
exit "$status"
