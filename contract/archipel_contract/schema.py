"""JSON Schemas of everything the local API and the link take and give, for programs that are not ours.

Called by `docs/generate.py`, which writes them to `docs/reference/schemas/`, and by the test that holds the written files to
this. Imports pydantic; nothing at run time imports this.
"""

import json
import re
from typing import Any

from pydantic import TypeAdapter

from archipel_contract.api import ENDPOINTS, Problem
from archipel_contract.findings import Finding
from archipel_contract.link.messages import KINDS, NodeState
from archipel_contract.site import SiteDocument

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def published() -> dict[str, type[Any]]:
    """Return the types that have a schema of their own, by file name: each body of the API, each message
    of the link, and what is stored or shown."""
    types: list[type[Any]] = [Problem, Finding, SiteDocument]
    for endpoint in ENDPOINTS:
        types += [one for one in (endpoint.request, endpoint.response) if one is not None]
    types += [NodeState, *(kind.body for kind in KINDS.values())]
    return {file_name(one): one for one in sorted(set(types), key=lambda one: one.__name__)}


def file_name(shape: type[Any]) -> str:
    """Return `job-request.json` for `JobRequest`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", shape.__name__).lower() + ".json"


def schema(shape: type[Any]) -> dict[str, Any]:
    """Return the schema of `shape`; what has a default may be absent, as an older program does not know it."""
    is_request = any(endpoint.request is shape for endpoint in ENDPOINTS)
    made = TypeAdapter(shape).json_schema(mode="validation" if is_request else "serialization")
    if is_request:
        made["additionalProperties"] = False  # validate.from_json refuses what it does not know there
    return {"$schema": DIALECT, **made}


def files() -> dict[str, str]:
    """Return the text of every schema file by its name."""
    return {
        name: json.dumps(schema(shape), indent=2, ensure_ascii=False) + "\n"
        for name, shape in published().items()
    }
