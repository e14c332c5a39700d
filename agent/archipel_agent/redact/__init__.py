"""Secrets removed from whatever is shown or leaves the machine; `text` does it, `shapes` knows what secrets look like."""

from archipel_agent.redact.text import is_secret_name, redact, redact_data, redact_lines

__all__ = ["is_secret_name", "redact", "redact_data", "redact_lines"]
