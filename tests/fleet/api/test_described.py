"""The API as its OpenAPI document describes it: complete, and true under fuzzing."""

from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from tests.fakes.fleet_context import fake_context
from tests.fakes.fleet_store import FakeStore
from tests.fleet.serving import answering

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# Streams do not end, and logging out ends the session of the fuzzing.
LEFT_OUT = {"/api/v1/changes", "/api/v1/logout", "/api/v1/me/password"}


def described() -> dict[str, Any]:
    """The document, from an application of its own."""
    document: dict[str, Any] = create_app(fake_context()).openapi()
    return document


DOCUMENT = described()
OPERATIONS = [(method, path, one) for path, item in DOCUMENT["paths"].items() for method, one in item.items()]


@pytest.mark.parametrize(("method", "path", "one"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_every_call_is_described_with_its_errors(method: str, path: str, one: dict[str, Any]) -> None:
    assert one["summary"] and one["description"] and one["tags"]
    for status, answer in one["responses"].items():
        assert answer["description"], status
        if int(status) >= 400 and path != "/healthz":
            shape = answer["content"]["application/json"]["schema"]
            assert shape == {"$ref": "#/components/schemas/FleetProblem"}, status
    needed = {"401", "422", "503"} if path != "/healthz" else {"503"}
    assert needed <= set(one["responses"])


def test_every_parameter_says_what_it_is() -> None:
    silent = [
        (path, parameter["name"])
        for _, path, one in OPERATIONS
        for parameter in one.get("parameters", [])
        if not parameter.get("description") and parameter["name"] not in ("page", "size", "limit")
    ]
    assert silent == []


def test_the_document_says_how_to_log_in() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {one["type"] for one in schemes.values()} == {"http", "apiKey"}
    assert DOCUMENT["security"]
    open_to_all = [path for _, path, one in OPERATIONS if one.get("security") == []]
    assert sorted(open_to_all) == ["/api/v1/login", "/healthz"]


def strategy(operation: Any) -> Any:
    """Requests as described, and such as are not where there is anything to get wrong."""
    made = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.query or operation.path_parameters or operation.body):
        return made
    return made | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def fuzz(examples: int, seed: int, context: Context | None = None) -> int:
    """Send generated requests to every call, good ones and bad ones; return how many. Fails at the first wrong answer."""
    context = context or fake_context()
    # The account of the data directory cannot be changed, so that no request ends the fuzzing.
    headers = {"Authorization": f"Bearer {context.accounts.local_token()}"}
    app = create_app(context)
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    sent = 0
    with answering(app, context.live) as url, requests.Session() as session:
        for result in schema.get_all_operations():
            operation: Any = result.ok()  # type: ignore[union-attr]  # one that is not fails the test here
            if operation.path in LEFT_OUT:
                continue

            @hypothesis.seed(seed)
            @hypothesis.settings(
                max_examples=examples,
                deadline=None,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            )
            @hypothesis.given(case=strategy(operation))
            def one(case: Any) -> None:
                nonlocal sent
                sent += 1
                case.call_and_validate(base_url=url, session=session, headers=headers, checks=CHECKS)

            one()
    return sent


@pytest.mark.timeout(90)
def test_generated_requests_get_answers_as_described() -> None:
    assert fuzz(examples=7, seed=1) >= 100


@pytest.mark.prove
def test_many_generated_requests_get_answers_as_described() -> None:
    assert sum(fuzz(examples=300, seed=seed) for seed in range(3)) > 15_000


def test_the_fuzzing_finds_an_answer_that_is_not_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeStore, "summary", lambda *_: {"sites": "many"})
    with pytest.raises(FailureGroup, match=r"(?i)server error"):
        fuzz(examples=2, seed=1)
