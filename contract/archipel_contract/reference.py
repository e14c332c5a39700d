"""Reference pages made from the contract itself: the local API, the exit codes, the findings, the protocol.

Called by `docs/generate.py` and by the test that holds the written pages to this. Pure text from tables; reads source files
only for the docstrings behind enum members and fields.
"""

from archipel_contract import protocol
from archipel_contract.api import ENDPOINTS, AccessRole, Endpoint
from archipel_contract.catalogue import Entry, entries
from archipel_contract.exits import Exit
from archipel_contract.pagework import MADE, attribute_docs, link, table


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {"api.md": api(), "exits.md": exits(), "findings.md": findings(), "protocol.md": protocol.page()}


def api() -> str:
    """Return the page of the local API."""
    roles = attribute_docs(AccessRole)
    parts = [
        MADE,
        "# The local API\n",
        "HTTP/1.1 with JSON bodies on the Unix socket `/run/archipel/agent.sock`. For example:\n",
        "```\ncurl --unix-socket /run/archipel/agent.sock http://agent/v1/report\n```\n",
        "Streams are server-sent events: `data:` holds one object of the named type, `id:` of a job's events its sequence "
        "number, and a comment comes at least every 5 seconds. Every answer that is not 2xx has a "
        "[Problem](schemas/problem.json) as its body. Unknown fields in answers must be ignored: newer agents send more. "
        "Unknown fields and query words in requests are refused.\n",
        "## Roles\n",
        "The role follows from the user at the other end of the socket, as the kernel says. To open the socket at all a "
        "user is root or in the group `archipel`; technicians are in both groups.\n",
        table(("role", "who, and what"), [(role.name.lower(), roles[role.name]) for role in AccessRole]),
        "## Calls\n",
        table(
            ("call", "role", "takes", "gives"),
            [
                (f"[`{one.method} {one.path}`](#{one.name})", one.role.name.lower(), _takes(one), _gives(one))
                for one in ENDPOINTS
            ],
        ),
    ]
    parts += [_call(one) for one in ENDPOINTS]
    return "\n".join(parts)


def _takes(endpoint: Endpoint) -> str:
    return link(endpoint.request) if endpoint.request else ""


def _gives(endpoint: Endpoint) -> str:
    return f"stream of {link(endpoint.response)}" if endpoint.stream else link(endpoint.response)


def _call(endpoint: Endpoint) -> str:
    lines = [f"### {endpoint.name}\n", f"`{endpoint.method} {endpoint.path}`: {endpoint.summary}\n"]
    if endpoint.query:
        lines.append(
            table(("query", "meaning"), [(f"`{name}`", what) for name, what in endpoint.query.items()])
        )
    return "\n".join(lines)


def exits() -> str:
    """Return the page of the exit codes."""
    docs = attribute_docs(Exit)
    rows = [
        (str(int(code)), code.name, docs.get(code.name, "The work is done, or the answer is good."))
        for code in Exit
    ]
    return "\n".join([MADE, "# Exit codes\n", f"{Exit.__doc__}\n", table(("code", "name", "meaning"), rows)])


def findings() -> str:
    """Return the page of all findings, in both languages."""
    known = sorted(entries().values(), key=lambda entry: entry.code)
    rows = [(f"[`{one.code}`](#{one.code})", one.severity.value, one.texts["en"].title) for one in known]
    head = [
        MADE,
        "# Findings\n",
        "Everything the checks can find, as `archipel why CODE` explains it. A word in braces stands for a value of the "
        "machine.\n",
        table(("code", "severity", "what"), rows),
    ]
    return "\n".join([*head, *(_finding(one) for one in known)])


def _finding(entry: Entry) -> str:
    parts = [f"## {entry.code}\n"]
    for language, (cause, remedy) in {"en": ("Cause", "Remedy"), "de": ("Ursache", "Abhilfe")}.items():
        text = entry.texts[language]
        parts.append(f"**{text.title}**\n\n{cause}: {text.cause}\n\n{remedy}: {text.remedy}\n")
        parts += [f"{number}. {step}" for number, step in enumerate(text.runbook, 1)]
        parts.append("")
    return "\n".join(parts)
