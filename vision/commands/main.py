"""`loupe`: one command tree, put together from the entry-point group `loupe.commands`.

A dotted name such as `bundle.verify` is a sub-command. Only the command that was asked for is imported; the others'
help is read from their source, so that `loupe --help` is quick and works where an extra is missing. That a command
needs the extra named like its top-level package is the tree's one convention.
"""

import ast
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vision.commands.output import stderr_console
from vision.errors import LoupeError, MissingExtraError

GROUP: Final = "loupe.commands"
_GROUP_HELP: Final = {
    "bundle": "Look into model bundles, verify and sign them.",
    "catalog": "Place products in a shop's tree of categories.",
    "data": "Look at data before learning from it.",
    "edge": "Run a line: every part judged in time, or sent the safe way, and accounted for.",
    "fleet": "See the stations that report to a server.",
    "imagery": "Make product images: the real product in a scene, checked, labelled and signed.",
    "results": "Take kept results out of a server's database.",
    "review": "Say what parts really were.",
    "token": "Make and revoke the tokens of a server.",
}


def main() -> None:
    """Run the command line and end the process with its exit code: 0 done, 1 failed, 2 wrong input or usage."""
    arguments = sys.argv[1:]
    try:
        build(arguments)(args=arguments, prog_name="loupe")
    except LoupeError as error:
        report(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)


def report(error: LoupeError, *, as_json: bool) -> None:
    """Say what went wrong: on stderr for people, and with `--json` as an object on stdout as well."""
    stderr_console().print(f"error: {error}", style="bold red", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        sys.stdout.write(json.dumps({"error": {"type": type(error).__name__, "message": str(error)}}) + "\n")


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command tree, with the asked command loaded and the others as their help alone."""
    app = typer.Typer(
        help=_introduction(),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown",
    )
    app.callback()(_options)
    groups: dict[str, typer.Typer] = {}
    asked = [argument for argument in arguments if not argument.startswith("-")]
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda one: one.name):
        *parents, name = entry.name.split(".")
        parent = app
        for parent_name in parents:
            if parent_name not in groups:
                groups[parent_name] = typer.Typer(help=_GROUP_HELP.get(parent_name), no_args_is_help=True)
                parent.add_typer(groups[parent_name], name=parent_name)
            parent = groups[parent_name]
        path = [*parents, name]
        if asked[: len(path)] == path:
            parent.command(name)(_load(entry))
        else:
            parent.command(name, help=_help_of(entry))(_unloaded)
    return app


def _introduction() -> str:
    return (
        "Loupe judges parts from photographs: train, certify, export and inspect.\n\n"
        "Every command takes `--json` (one JSON object on stdout) and `--help` with an example. "
        "Exit codes: 0 done, 1 failed, 2 the input or the usage is wrong."
    )


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"loupe {importlib.metadata.version('loupe')}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Only read by typer; `_version` has acted before a missing command is an error."""


def _unloaded() -> None:
    raise AssertionError("the command that was asked for is always loaded")


def _load(entry: importlib.metadata.EntryPoint) -> Callable[..., Any]:
    extra = entry.module.split(".")[0]
    try:
        loaded: Callable[..., Any] = entry.load()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in {"vision", "training", "server", "edge"}:
            raise
        if extra == "vision":  # what the core needs is no extra: the installation is broken
            raise
        raise MissingExtraError(extra, error.name) from error
    return loaded


def _help_of(entry: importlib.metadata.EntryPoint) -> str:
    """The first paragraph of the target's docstring, read from its source without importing it."""
    spec = importlib.util.find_spec(entry.module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").split("\n\n", maxsplit=1)[0]
    return ""
