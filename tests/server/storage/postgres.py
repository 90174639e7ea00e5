"""A PostgreSQL server of the tests' own, where the programs for one are installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

_START_S: Final = 30.0


def _programs() -> Path:
    """The folder of `initdb` and `postgres`; Debian keeps them off the PATH."""
    initdb = which("initdb")
    found = [Path(initdb).parent] if initdb else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")


def _user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as whom Debian made for it, or as nobody."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@dataclass(slots=True)
class Postgres:
    """A server on a socket in its own folder, without a network and without fsync."""

    folder: Path
    programs: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://tester@/{name}?host={self.folder}"

    def create(self, name: str) -> None:
        """A database with nothing in it."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def drop(self, name: str) -> None:
        """Throw a database away, whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        where = f"host={self.folder} user=tester dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        options = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **_user())
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End the connections, write everything, stop."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_S)
            self._process = None


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A new server; skips the test where there can be none."""
    programs = _programs()
    folder = Path(
        tempfile.mkdtemp(prefix="loupe-pg-")
    )  # a socket's path must be short, and reachable for its user
    try:
        owner = _user()
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        initdb = f"{programs}/initdb -D {folder}/data -U tester -A trust -E UTF8 --no-sync".split()
        made = subprocess.run(initdb, check=False, capture_output=True, text=True, cwd=folder, **owner)
        assert made.returncode == 0, made.stderr
        server = Postgres(folder, programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
