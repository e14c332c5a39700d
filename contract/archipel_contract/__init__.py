"""What agent, fleet and TUI say to each other, and nothing else.

Every other package imports this one; it imports none of them. Importing a module from here loads the standard library
only (pydantic lives in `validate` and `schema`, which only servers and generators import), so that a client on a small
machine starts quickly.
"""

__version__ = "0.2.0"

# The day this version was released (UTC): no clock that shows an earlier time can be right.
RELEASED = "2026-11-22"
