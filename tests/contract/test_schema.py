"""The committed schemas and reference pages are those the source makes, and the schemas fit what we really send."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from archipel_contract import pagework, reference, schema
from archipel_contract.api import ENDPOINTS
from archipel_contract.catalogue import entries
from archipel_contract.exits import Exit
from archipel_contract.jobs import JobRequest
from archipel_contract.status import Report

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The program behind `make reference`."""
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_reference_is_the_generated_one(generate: ModuleType) -> None:
    assert generate.outdated() == [], "run `make reference` and commit what it writes"


def test_every_body_of_the_api_has_a_schema() -> None:
    shapes = set(schema.published().values())
    for endpoint in ENDPOINTS:
        assert {endpoint.response} | ({endpoint.request} if endpoint.request else set()) <= shapes


def test_only_what_has_no_default_is_required_so_that_an_older_agent_fits_too() -> None:
    assert schema.schema(Report)["required"] == ["at", "health", "sentence", "node", "cluster"]
    request = schema.schema(JobRequest)
    assert request["required"] == ["verb"]
    assert request["additionalProperties"] is False
    # Answers grow: whoever reads them must skip what is new.
    assert "additionalProperties" not in schema.schema(Report)


def test_the_pages_name_every_call_code_and_finding() -> None:
    pages = reference.pages()
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.method} {endpoint.path}`" in pages["api.md"]
        assert all(f"`{word}`" in pages["api.md"] for word in endpoint.query)
    assert all(f"| {int(code)} | {code.name} |" in pages["exits.md"] for code in Exit)
    assert all(f"## {code}\n" in pages["findings.md"] for code in entries())


def test_docstrings_behind_attributes_are_found_on_one_line() -> None:
    class Sample:
        first = 1
        """One,
        in two lines."""
        second: int = 2
        third = 3
        """Three."""

    assert pagework.attribute_docs(Sample) == {"first": "One, in two lines.", "third": "Three."}


def test_cells_of_tables_keep_their_bars() -> None:
    assert pagework.table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
