"""The controller's log on standard error: readable on a terminal, one JSON object a line elsewhere."""

import logging
import sys
from typing import Any, TextIO

import structlog

from archipel_fleet.host.unsaid import unsaid


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send our log and that of the libraries to `stream` (standard error)."""
    target = stream or sys.stderr
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        unsaid,
    ]
    shown: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if target.isatty():
        shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*shared, shown],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, getattr(logging, level)), force=True)
