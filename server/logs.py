"""Logs: one line an event on stderr, as JSON or for people, with the request's id and without secrets.

`configure` is called once, by a program's entry point; it takes over the standard library's root logger as well, so that what uvicorn,
grpc or SQLAlchemy say has the same form and passes the same mask. Modules log through `structlog.get_logger()`.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from server.masking import mask_entry, mask_line

LEVELS: Final = ("debug", "info", "warning", "error")


def configure(*, as_json: bool, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs to `stream`, stderr by default.

    Args:
        level: one of `LEVELS`.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            mask_secrets,
            _renderer(as_json=as_json, colours=out.isatty()),
        ],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


@contextmanager
def about(**values: Any) -> Iterator[None]:
    """Put values (`request_id`, `user`) on every line logged inside, also by what is called or awaited there."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: what stands under a secret's name, and secrets inside of values."""
    return {name: mask_entry(name, value) for name, value in event.items()}


def _renderer(*, as_json: bool, colours: bool) -> Processor:
    render: Processor = structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)
    if not as_json:
        render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, repr_native_str=True
        )

    def masked(logger: WrappedLogger, method: str, event: EventDict) -> str:
        return mask_line(str(render(logger, method, event)))  # objects became text on the way

    return masked
