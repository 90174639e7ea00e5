"""`loupe serve`: judge parts for others, over gRPC."""

import asyncio
import resource
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from server.app import Ready, serve
from server.config import read_config, show
from server.logs import configure
from vision.commands.output import JsonFlag, Output
from vision.heap import settle_heap
from vision.settings import read_settings

_SWITCH_S: Final = (
    5e-4  # Python's 5 ms would let a worker's thread keep the event loop waiting longer than a refusal takes
)


def run(
    models: Annotated[
        Path | None,
        typer.Option(help="Folder of bundles; each is served under its name.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A loupe.toml; options given here stand above it.", show_default=False)
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="gRPC address, host:port or unix:PATH. [127.0.0.1:50051]")
    ] = None,
    http: Annotated[
        str | None, typer.Option(help="Address of /healthz and /metrics; empty for none. [127.0.0.1:8080]")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON, one line an event.")] = False,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Show the effective configuration, secrets masked, and end."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Serve bundles over gRPC: inspection, models, health, reflection, and the open inference protocol on one port.

    SIGTERM drains: no new calls, those under way are answered, exit 0. Without TLS it listens on loopback alone.

    Example: `loupe serve --models models --listen 127.0.0.1:50051 --http 127.0.0.1:8080`
    """
    output = Output(json)
    effective = read_config(config, {"models": models, "listen": listen, "http": http})
    if print_config:
        output.result(show(effective), str(show(effective)))
        return
    configure(as_json=log_json)

    def announce(ready: Ready) -> None:
        settle_heap()
        for name, why in ready.failures.items():
            output.warn(f"{name} is not served: {why}")
        output.result(
            {
                "listen": str(ready.listen),
                "http": str(ready.http) if ready.http else None,
                "models": list(ready.models),
                "failures": ready.failures,
            },
            f"serving {', '.join(ready.models) or 'no model'} on {ready.listen}"
            + (f", health and metrics on http://{ready.http}" if ready.http else ""),
        )

    _prepare_process()
    asyncio.run(serve(effective, read_settings(), ready=announce))


def _prepare_process() -> None:
    """Let the event loop be heard among threads, and every connection have its file: shells allow 1,024."""
    sys.setswitchinterval(_SWITCH_S)
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
