"""People's side, from the command line: what waits, what it really was, and what can be learned from it."""

import csv
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from server.auth import Role
from tests.bundles import make_bundle, part, spotted
from tests.e2e.serving import LOUPE, serving, token
from training.manifest import read_manifest
from vision.image import encode_png

pytestmark = [pytest.mark.slow, pytest.mark.torch]


def loupe(server: str, secret: str, *arguments: object, expect: int = 0) -> dict[str, Any]:
    environment = {**os.environ, "LOUPE_TOKEN": secret}
    command = [str(LOUPE), *map(str, arguments), "--server", server, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == expect, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_people_find_becomes_a_manifest_and_an_escape_rate(tmp_path: Path) -> None:
    make_bundle(tmp_path / "models" / "plates.loupe")
    kim = token(tmp_path, "kim", Role.INSPECT, Role.REVIEW)
    (tmp_path / "good.png").write_bytes(encode_png(part()))
    (tmp_path / "red.png").write_bytes(encode_png(spotted()))
    with serving(tmp_path, storage={"audit_share": 1.0}) as server:
        judged = loupe(server.address, kim, "inspect", tmp_path / "good.png", tmp_path / "red.png")
        waiting = loupe(server.address, kim, "review", "list")["reviews"]
        (accepted,) = (one for one in waiting if one["audit"])

        refused = loupe(server.address, kim, "review", "resolve", accepted["result"], "banana", expect=2)
        found = loupe(server.address, kim, "review", "resolve", accepted["result"], "good", "--note", "clean")
        exported = loupe(server.address, kim, "review", "export", "--out", tmp_path / "found.csv")
    command = [str(LOUPE), "audit-log", "--json"]
    noted = json.loads(
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    )

    assert [one["decision"] for one in judged["results"]] == ["accept", "reject"]
    done = [(one["by"], one["action"].rpartition("/")[2]) for one in noted["entries"]]
    assert done == [
        ("server", "token create"),
        *[("kim", "SubmitDisposition")] * 2,  # the one with the wrong label was asked for, too
        ("kim", "ExportDispositions"),
    ]
    assert 'label: "good" note: "clean"' in noted["entries"][2]["detail"]
    assert "banana" in refused["error"]["message"]
    assert found["by"] == "kim"
    assert exported["escape_rate"]["audited"] == 1
    assert exported["escape_rate"]["escapes"] == 0
    with (tmp_path / "found.csv").open(newline="") as file:
        assert [row["by"] for row in csv.DictReader(file)] == ["kim"]
    manifest = read_manifest(tmp_path / "found.csv", images=tmp_path / "loupe-data" / "images")
    assert manifest.items[0].path.read_bytes() == (tmp_path / "good.png").read_bytes()


def test_reviews_take_a_persons_token(tmp_path: Path) -> None:
    make_bundle(tmp_path / "models" / "plates.loupe")
    with serving(tmp_path) as server:
        refused = loupe(server.address, "", "review", "list", expect=1)

    assert "review" in refused["error"]["message"]
