"""Images from the command line: ordered one by one and by the table, watched, reviewed, exported, and counted."""

import csv
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ateliers import SIDE, People, furnished, loupe, product, said, worker
from tests.e2e.serving import LOUPE, PATIENCE_S, Server, clean_environment, eventually, serving
from vision.client import Client
from vision.image import decode

pytestmark = pytest.mark.slow

COLUMNS = ("name", "photo", "mask", "scene", "rules", "count", "generator", "side")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("atelier")
    photo, mask = product()
    (found / "mug.png").write_bytes(photo)
    (found / "mask.png").write_bytes(mask)
    return found


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, imagery=furnished(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def people(server: Server) -> People:
    return People(server)


@pytest.fixture(scope="module")
def kim(people: People) -> Iterator[Client]:
    with people.client("kim") as client:
        yield client


def asked(people: People, who: str) -> list[str]:
    return ["--server", people.server.address, "--token-file", str(people.token_file(who)), "--json"]


def row(**changed: str) -> dict[str, str]:
    usual = {
        "name": "mug", "photo": "mug.png", "mask": "mask.png", "scene": "oak table", "rules": "google.merchant shopify", "count": "1",
        "generator": "procedural", "side": str(SIDE),
    }  # fmt: skip
    return usual | changed


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_order_is_placed_watched_reviewed_exported_and_counted(folder: Path, people: People) -> None:
    brief = [
        "--product", "mug.png", "--mask", "mask.png", "--scene", "white marble table", "--rules", "google.merchant", "--count", "2",
        "--side", str(SIDE), "--generator", "procedural", "--light", "left",
    ]  # fmt: skip
    with worker(folder):
        placed = said(loupe(folder, "imagery", "submit", *brief, "--out", "made", *asked(people, "kim")))
    assert (placed["state"], placed["repeated"], placed["name"]) == ("done", False, "mug")
    assert decode((folder / "made" / "candidate-2-preview.jpg").read_bytes()).size_wh == (SIDE, SIDE)
    assert json.loads((folder / "made" / "candidate-2.json").read_text())["number"] == 2
    replayed = said(loupe(folder, "imagery", "replay", "made/candidate-2.json", "--json"))
    assert replayed["verdict"] == "exact"
    job = placed["id"]

    listed = said(loupe(folder, "imagery", "jobs", "list", "--state", "done", *asked(people, "kim")))
    assert job in [one["id"] for one in listed["jobs"]]
    watched = said(loupe(folder, "imagery", "jobs", "watch", job, *asked(people, "ada")))
    assert watched["candidates"][0]["reports"][0]["rule_set"] == "google.merchant"

    def review(act: str, who: str, *more: str) -> "subprocess.CompletedProcess[str]":
        return loupe(folder, "imagery", "review", act, job, "1", *more, *asked(people, who))

    early = loupe(folder, "imagery", "export", job, "1", "--out", "early.jpg", *asked(people, "kim"))
    assert (early.returncode, said(early)["error"]["type"]) == (1, "StateError")
    assert said(review("propose", "kim"))["candidate"]["state"] == "in_review"
    waiting = said(loupe(folder, "imagery", "review", "list", *asked(people, "ada")))
    assert [one["id"] for one in waiting["jobs"]] == [job]
    own = review("approve", "kim again")
    assert (own.returncode, said(own)["error"]["type"]) == (1, "RemotePermissionError")
    assert review("reject", "ada").returncode == 2  # without a reason
    assert said(review("approve", "ada"))["candidate"]["approved_by"] == "ada"

    sent = said(loupe(folder, "imagery", "export", job, "1", "--out", folder, *asked(people, "kim")))
    assert sent["report"]["rule_set"] == "google.merchant"
    assert Path(sent["file"]).stat().st_size == sent["bytes"]
    again = loupe(folder, "imagery", "export", job, "1", "--out", sent["file"], *asked(people, "kim"))
    assert "is not overwritten" in said(again)["error"]["message"]
    costs = said(loupe(folder, "imagery", "costs", "--job", job, "--json"))
    assert (costs["candidates"], costs["approved"]) == (2, 1)
    assert costs["seconds_per_approved"] == costs["seconds"] > costs["seconds_per_candidate"] > 0


def test_a_worker_that_could_make_nothing_does_not_start_and_names_the_setting(
    folder: Path, server: Server
) -> None:
    done = loupe(
        folder, "imagery", "worker", "--config", "loupe.toml", "--once", "--dtype", "float23", "--json"
    )
    assert done.returncode == 2
    assert "dtype: expected one of float32" in said(done)["error"]["message"]


def test_a_waiting_order_is_stopped(folder: Path, people: People, kim: Client) -> None:
    write_table(folder / "one.csv", [row()])
    placed = said(loupe(folder, "imagery", "batch", "one.csv", "--no-wait", *asked(people, "kim")))
    assert placed["out"] == "one-orders.jsonl"
    job = results(folder / "one-orders.jsonl")[0]["job"]
    stopped = said(loupe(folder, "imagery", "jobs", "cancel", job, *asked(people, "kim")))
    assert (stopped["state"], stopped["cancelled_by"]) == ("cancelled", "kim")


def test_a_table_is_ordered_row_by_row_and_each_wrong_row_says_why(folder: Path, people: People) -> None:
    write_table(
        folder / "items.csv",
        [
            row(name="first"),
            row(name="no photo", photo="absent.png"),
            row(name="no rules", rules="nowhere"),
            row(name="too many", count="99"),
            row(name="last", scene="白色大理石桌面"),
        ],
    )
    with worker(folder):
        done = loupe(folder, "imagery", "batch", "items.csv", "--out", "ordered.jsonl", *asked(people, "kim"))
    assert done.returncode == 2
    assert said(done)["states"] == {"done": 2, "refused": 3}
    found = results(folder / "ordered.jsonl")
    assert [one["state"] for one in found] == ["done", "refused", "refused", "refused", "done"]
    assert "absent.png" in found[1]["error"]
    assert "nowhere" in found[2]["error"]
    assert "count" in found[3]["error"]
    assert found[4]["candidates"] == {"checked": 1}


def test_a_table_whose_command_was_killed_goes_on_and_orders_nothing_twice(
    folder: Path, people: People, kim: Client
) -> None:
    write_table(
        folder / "many.csv", [row(name=f"killed {number}", scene=f"table {number}") for number in range(5)]
    )
    command = ["imagery", "batch", "many.csv", "--out", "many.jsonl", *asked(people, "kim")]

    def placed() -> list[str]:
        return [one.id for one in kim.imagery.jobs(limit=500) if one.name.startswith("killed")]

    first = subprocess.Popen(
        [LOUPE, *command], cwd=folder, env=clean_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    eventually(lambda: len(placed()) >= 2)
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE_S)

    with worker(folder):
        again = said(loupe(folder, *command))
    assert again["states"] == {"done": 5}
    assert again["repeated"] >= 2
    assert len(placed()) == 5
    write_table(
        folder / "many.csv",
        [row(name=f"killed {number}", scene=f"table {number}") for number in range(5)]
        + [row(name="killed not")],
    )
    more = said(loupe(folder, *command[:-1], "--no-wait", "--json"))
    assert (more["rows"], more["repeated"]) == (6, 5)
    moved = [row(name=f"killed {number}", scene=f"table {number}") for number in (4, 2, 0)]
    write_table(folder / "many.csv", [row(name="killed first"), *moved])
    other = said(loupe(folder, *command, "--no-wait"))
    assert (other["rows"], other["repeated"]) == (4, 3)
    assert len(placed()) == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photo,scene\nmug.png,oak\n", "expected the columns photo, rules, scene or style"),
        ("photo,scene,rules,colour\nmug.png,oak,shopify,red\n", "found photo, scene, rules, colour"),
        ("photo,scene,rules\nmug.png,oak\n", "row 1: expected a cell for each column"),
        ("photo,scene,rules,rules\nmug.png,oak,shopify,shopify\n", "each once"),
        ("", "found none"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_before_anything_is_ordered(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "items.csv").write_text(text)
    done = loupe(tmp_path, "imagery", "batch", "items.csv", "--out", "out.jsonl", "--json")
    assert done.returncode == 2
    assert words in said(done)["error"]["message"]
    assert not (tmp_path / "out.jsonl").exists()


def test_the_results_are_not_written_over_the_table(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    write_table(table, [row()])
    before = table.read_bytes()
    done = loupe(tmp_path, "imagery", "batch", "items.csv", "--out", "./items.csv", "--json")
    assert (done.returncode, said(done)["error"]["type"]) == (2, "SettingsError")
    assert table.read_bytes() == before
