"""`loupe inspect --server`: pictures judged by a server, said in the same shape as pictures judged here.

What a server does not tell (the picture's quality, the bundle's path and signature) is null; what only a server tells (`server`, and
with each result `result_id`, `repeated`, `model`, and more timings) stands beside it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from vision.commands.output import Output, bar
from vision.commands.verdicts import counts, distinct_names, judgement, not_judged, table
from vision.errors import ImageError, LoupeError, MissingExtraError, NotFoundError, SettingsError
from vision.files import write_bytes

if TYPE_CHECKING:  # gRPC is part of an extra, and only needed where a server is named
    from vision.client import Answer, Client
    from vision.client.values import ServedModel

TOKEN_VARIABLE: Final = "LOUPE_TOKEN"  # noqa: S105  (its name)
_PANEL: Final = "On a server"
ServerOption = Annotated[
    str | None,
    typer.Option(
        help="Have this server judge: host:port or unix:PATH. Every argument is a picture then.",
        rich_help_panel=_PANEL,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(help="Which of its models; needed where it serves several.", rich_help_panel=_PANEL),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(help=f"Holds the token to show; {TOKEN_VARIABLE} by default.", rich_help_panel=_PANEL),
]
TlsCaOption = Annotated[
    Path | None, typer.Option(help="Whose certificates prove the server, PEM.", rich_help_panel=_PANEL)
]
_DEADLINE_S: Final = 60.0  # for each picture; a person waits rather than asks again


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where pictures are to be judged.

    Attributes:
        model: may be empty where the server serves one alone.
        token_file: holds the token alone; LOUPE_TOKEN is read where absent.
        tls_ca: whose certificates prove the server; plain text where absent.
    """

    address: str
    model: str = ""
    token_file: Path | None = None
    tls_ca: Path | None = None


def inspect_on(
    server: Server, images: Sequence[Path], *, heatmap: Path | None, explaining: bool, output: Output
) -> int:
    """Have pictures judged and say what was found.

    Returns:
        The exit code: 0, 2 where a picture is at fault, 1 where the server is.

    Raises:
        LoupeError: the server cannot be asked anything at all.
    """
    with open_client(server) as client:
        model = chosen(server, client.models(), "inspection")
        results, codes = _judged(client, server, images, heatmap=heatmap, explaining=explaining)
    certificate = model.certificate if model else None
    output.result(
        {
            "bundle": None,
            "server": server.address,
            "model": {"file": model.ref.file if model else None, "threads": None},
            "signed_by": None,
            "certificate": certificate,
            "counts": counts(results),
            "results": results,
        },
        table(results),
        escape(certificate or "no certificate: nothing is accepted until `loupe certify`"),
    )
    return min(codes, default=0)


def token_of(token_file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The token to show to a server.

    Raises:
        SettingsError: the file cannot be read or holds none.
    """
    if token_file is None:
        return environment.get(TOKEN_VARIABLE) or None
    try:
        token = token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{token_file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{token_file}: expected a token, found bytes that are no text") from error
    if not token:
        raise SettingsError(f"{token_file}: expected a token, found nothing")
    return token


@contextmanager
def needing_grpc() -> Iterator[None]:
    """Say which extra is missing where an import in the block needs gRPC.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"grpc", "google"}:
            raise
        raise MissingExtraError("server", error.name) from error


def open_client(server: Server) -> "Client":
    """A client of the server; its user closes it.

    Raises:
        MissingExtraError: gRPC is not installed.
        SettingsError: the address, the token or a TLS file is not what it must be.
    """
    with needing_grpc():
        from vision.client import Client, Tls  # noqa: PLC0415  (part of an extra)
    tls = Tls(ca=server.tls_ca) if server.tls_ca else None
    return Client(server.address, token=token_of(server.token_file, os.environ), tls=tls)


def chosen(server: Server, served: Sequence["ServedModel"], task: str) -> "ServedModel | None":
    """The model of a task that will answer; nothing where the server has none.

    Raises:
        NotFoundError: the named model is not served.
        SettingsError: none is named and several are served.
    """
    ready = {model.ref.name: model for model in served if model.state == "ready" and model.task == task}
    if server.model:
        if server.model not in ready:
            found = ", ".join(sorted(ready)) or "no model at all"
            raise NotFoundError(f"{server.address}: expected the model '{server.model}', found {found}")
        return ready[server.model]
    if len(ready) > 1:
        names = ", ".join(sorted(ready))
        raise SettingsError(f"{server.address}: expected --model with one of {names}, found none")
    return next(iter(ready.values()), None)


def _judged(
    client: "Client", server: Server, images: Sequence[Path], *, heatmap: Path | None, explaining: bool
) -> tuple[list[dict[str, Any]], set[int]]:
    """A result a picture, in their order, and the exit codes of those that could not be judged."""
    names = distinct_names(images)
    results: dict[int, dict[str, Any]] = {}
    codes = set()
    with bar() as progress:
        task = progress.add_task("inspecting", total=len(images), note="")
        for index, said in _said(client, server, images, heatmap=heatmap is not None, explaining=explaining):
            if isinstance(said, LoupeError):
                why = str(said) if isinstance(said, ImageError) else f"{images[index]}: {said}"
                results[index] = not_judged(images[index], why)
                codes.add(said.exit_code)
            else:
                target = heatmap / names[index] if heatmap else None
                results[index] = {"image": str(images[index]), **_result(said, target)}
            progress.advance(task)
    return [results[index] for index in range(len(images))], codes


def _said(
    client: "Client", server: Server, images: Sequence[Path], *, heatmap: bool, explaining: bool
) -> Iterator[tuple[int, "Answer | LoupeError"]]:
    """What was said to each picture; where the server refuses to go on, that is said to all that are left."""
    from vision.client import Picture  # noqa: PLC0415  (as above)

    left = set(range(len(images)))
    # a name that is no Unicode must not keep its picture from being judged
    parts = (image.name.encode(errors="replace").decode() for image in images)
    pictures = (Picture(image=image, part=part) for image, part in zip(images, parts, strict=True))
    outcomes = client.inspect_many(
        pictures,
        model=server.model,
        heatmap=heatmap,
        explain=explaining,
        priority="bulk",
        deadline_s=_DEADLINE_S,
    )
    try:
        for outcome in outcomes:
            left.remove(outcome.index)
            yield outcome.index, outcome.result
    except LoupeError as error:
        for index in sorted(left):
            yield index, error


def _result(answer: "Answer", heatmap: Path | None) -> dict[str, Any]:
    timings = asdict(answer.timings)
    result = {
        **judgement(answer.verdict),
        "quality": None,
        "timings": {"prepare_ms": timings.pop("decode_ms"), "decide_ms": None, **timings},
        "result_id": answer.result_id,
        "repeated": answer.repeated,
        "model": asdict(answer.model),
    }
    explanation = answer.explanation
    if explanation is not None:
        counterfactual = explanation.counterfactual
        result["explanation"] = {
            "text": explanation.sentence(),
            **asdict(explanation),
            "counterfactual": judgement(counterfactual) if counterfactual else None,
        }
    if heatmap is not None and answer.heatmap is not None:
        write_bytes(heatmap, answer.heatmap)
        result["heatmap"] = str(heatmap)
    return result
