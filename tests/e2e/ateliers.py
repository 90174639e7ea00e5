"""An atelier of real processes: a server that can sign, workers that can be killed, and people with tokens."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from server.auth import Role
from tests.e2e.serving import LOUPE, PATIENCE_S, Server, clean_environment, eventually, token
from tests.goods import goods
from tests.pictures import encoded
from vision.client import Client, ImageOrder
from vision.client.imagery_values import ImageJob
from vision.imagery.brief import PROCEDURAL, Brief
from vision.imagery.certificates import CHAIN, KEY, generate

LEASE_S: Final = 2.0
SIDE: Final = 600


def furnished(folder: Path) -> dict[str, Any]:
    """A folder to start a server in, without a model; gives what `loupe.toml` says of imagery."""
    (folder / "models").mkdir()
    generate(folder / "signing", organisation="Loupe tests")
    signing = {"signing_chain": f"signing/{CHAIN}", "signing_key": f"signing/{KEY}"}
    return {**signing, "lease_s": LEASE_S, "max_failures": 20, "producer": "loupe-tests"}


@cache
def product(seed: int = 0) -> tuple[bytes, bytes]:
    """A photo of a mug, and its mask."""
    good = goods("mug", seed, SIDE, backdrop="white")
    return good.photo_png, encoded(good.alpha_hw, "PNG")


def brief(**changes: Any) -> Brief:
    values: dict[str, Any] = {
        "scene": "white marble table, soft light from the left", "rules": ("google.merchant",), "generator": PROCEDURAL,
        "size_wh": (SIDE, SIDE), "count": 2,
    }  # fmt: skip
    return Brief(**values | changes)


def order(*, seed: int = 0, request_id: str | None = None, name: str = "a mug", **changes: Any) -> ImageOrder:
    """Of a mug with its mask, so that nothing has to be cut out."""
    photo, mask = product(seed)
    return ImageOrder(photo=photo, mask=mask, brief=brief(**changes), name=name, request_id=request_id)


@dataclass
class People:
    """Who works with a server: kim designs, ada reviews, and kim has a second token with which to review."""

    server: Server
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        roles = {"kim": {Role.DESIGN}, "ada": {Role.REVIEW}}
        self.tokens |= {user: token(self.server.folder, user, *its) for user, its in roles.items()}
        self.tokens["kim again"] = token(self.server.folder, "kim", Role.DESIGN, Role.REVIEW)

    def client(self, who: str | None = "kim") -> Client:
        return Client(self.server.address, token=None if who is None else self.tokens[who])

    def token_file(self, who: str) -> Path:
        path = self.server.folder / f"{who.replace(' ', '-')}.token"
        path.write_text(self.tokens[who])
        return path


@contextmanager
def worker(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A worker beside the server of this folder, ended with SIGTERM unless a test has ended it."""
    process = start_worker(folder, *arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE_S)


def start_worker(folder: Path, *arguments: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [LOUPE, "imagery", "worker", "--config", "loupe.toml", "--log-json", "--json", *arguments],
        cwd=folder,
        env=clean_environment(folder) | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def loupe(folder: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command, run to its end."""
    return subprocess.run(
        [LOUPE, *map(str, arguments)], cwd=folder, env=clean_environment(folder), capture_output=True, text=True, timeout=PATIENCE_S
    )  # fmt: skip


def said(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """What a command with --json says."""
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ended(client: Client, job_id: str) -> ImageJob:
    """The job, once it has ended."""
    eventually(lambda: client.imagery.get(job_id).state.ended)
    return client.imagery.get(job_id)
