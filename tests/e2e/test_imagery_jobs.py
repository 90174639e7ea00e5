"""Images ordered from a real server and made by real workers: seen, stopped, reviewed, exported, and nothing lost where a worker is killed."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from server.auth import Role
from tests.e2e.ateliers import (
    LEASE_S,
    People,
    brief,
    ended,
    furnished,
    loupe,
    order,
    product,
    said,
    start_worker,
    worker,
)
from tests.e2e.serving import PATIENCE_S, Server, eventually, serving, token
from tests.goods import goods
from tests.pictures import encoded
from vision.client import Client, ImageOrder
from vision.client.imagery_values import ImageJob, JobState
from vision.errors import (
    NotFoundError,
    RemotePermissionError,
    RequestError,
    StateError,
)
from vision.image import decode
from vision.imagery.manifest import Manifest
from vision.imagery.review import State

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("atelier")


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


@pytest.fixture(scope="module")
def ada(people: People) -> Iterator[Client]:
    with people.client("ada") as client:
        yield client


@pytest.fixture(scope="module")
def made(folder: Path, kim: Client) -> ImageJob:
    """An order that a worker has carried out; tests leave its second candidate alone."""
    job, _ = kim.imagery.create(order())
    with worker(folder, "--once"):
        return ended(kim, job.id)


def test_what_is_ordered_is_made_by_another_process_and_comes_with_all_that_is_known_of_it(
    kim: Client, made: ImageJob
) -> None:
    assert made.state is JobState.DONE, made.reason
    assert [one.state for one in made.candidates] == [State.CHECKED] * 2
    shown = kim.imagery.get(made.id, pictures=True).candidates[1]
    manifest = Manifest.model_validate_json(shown.manifest)
    assert manifest.brief == brief()
    assert manifest.photo == hashlib.sha256(product()[0]).hexdigest()
    assert decode(shown.preview).size_wh == (600, 600)
    assert decode(shown.difference).size_wh == (600, 600)
    alpha = kim.imagery.get(made.id, pictures=True).alpha
    assert hashlib.sha256(alpha).hexdigest() == manifest.cutout.alpha
    (report,) = shown.reports
    assert report.rule_set == "google.merchant"
    assert {one["rule"] for one in report.details["findings"]}
    assert shown.facts["cutout"] == "mask"
    assert 0 < shown.device_s < PATIENCE_S
    assert made.requester == "kim"


def test_a_large_difference_map_comes_reduced_so_that_all_of_an_order_fit_into_a_message(
    kim: Client, folder: Path
) -> None:
    good = goods("mug", 0, 1000, backdrop="white")
    large = order(count=1, size_wh=(776, 776))
    job, _ = kim.imagery.create(replace(large, photo=good.photo_png, mask=encoded(good.alpha_hw, "PNG")))
    with worker(folder, "--once"):
        assert ended(kim, job.id).state is JobState.DONE
    (shown,) = kim.imagery.get(job.id, pictures=True).candidates
    assert decode(shown.difference).size_wh == (388, 388)


def test_progress_and_previews_come_while_it_is_made(folder: Path, kim: Client) -> None:
    job, _ = kim.imagery.create(order(count=1))
    with worker(folder, "--once"):
        changes = list(kim.imagery.watch(job.id, previews=True))
    states = [one.job.state for one in changes]
    assert states[0] is JobState.QUEUED
    assert states[-1] is JobState.DONE
    assert JobState.RUNNING in states
    assert [one.job.revision for one in changes] == sorted({one.job.revision for one in changes})


def test_an_image_is_approved_by_another_person_and_leaves_signed(
    people: People, kim: Client, ada: Client, made: ImageJob, folder: Path
) -> None:
    with pytest.raises(StateError, match="export: expected it to be approved, found it checked"):
        kim.imagery.export(made.id, 1)
    kim.imagery.review(made.id, 1, "propose", reason="the light fits")
    assert made.id in [one.id for one in ada.imagery.jobs(holding=State.IN_REVIEW)]
    with (
        people.client("kim again") as second,
        pytest.raises(RemotePermissionError, match="another user than kim"),
    ):
        second.imagery.review(made.id, 1, "approve")
    with people.client(None) as nobody, pytest.raises(RemotePermissionError, match="found no token"):
        nobody.imagery.review(made.id, 1, "approve")

    reviewed = ada.imagery.review(made.id, 1, "approve", reason="nothing is cut")
    assert reviewed.candidate.approved_by == "ada"
    with people.client(None) as nobody, pytest.raises(RemotePermissionError, match="found no token"):
        nobody.imagery.export(made.id, 1)
    sent = kim.imagery.export(made.id, 1)
    again = ada.imagery.export(made.id, 1)

    assert hashlib.sha256(sent.data).hexdigest() == sent.sha256 == again.sha256
    assert (sent.repeated, again.repeated) == (False, True)
    assert sent.approval == reviewed.candidate.approval
    (folder / "sent.jpg").write_bytes(sent.data)
    verified = said(loupe(folder, "imagery", "verify", "sent.jpg", "--trust", "signing/root.pem", "--json"))
    assert "trusted" in json.dumps(verified)
    with pytest.raises(StateError, match="found it exported"):
        ada.imagery.review(made.id, 1, "reject", reason="too late")
    acts = [(one.act, one.by) for one in kim.imagery.history(made.id) if one.number == 1]
    assert acts[-3:] == [("propose", "kim"), ("approve", "ada"), ("export", "kim")]


def test_the_same_request_is_one_order_under_either_token_of_a_user(people: People, kim: Client) -> None:
    asked = order(request_id="r1", count=1)
    first, repeated = kim.imagery.create(asked)
    with people.client("kim again") as second:
        again, repeated_again = second.imagery.create(asked)
    with pytest.raises(RequestError, match="request_id 'r1': expected the content it was first used with"):
        kim.imagery.create(order(request_id="r1", count=2))
    assert (again.id, repeated, repeated_again) == (first.id, False, True)
    assert kim.imagery.cancel(first.id).state is JobState.CANCELLED


def test_an_order_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker(
    folder: Path, kim: Client
) -> None:
    waiting, _ = kim.imagery.create(order())
    assert kim.imagery.cancel(waiting.id).state is JobState.CANCELLED

    running, _ = kim.imagery.create(order(count=16))
    with worker(folder, "--once"):
        eventually(lambda: kim.imagery.get(running.id).candidates[0].state is State.CHECKED)
        assert kim.imagery.cancel(running.id).cancelled_by == "kim"
        found = ended(kim, running.id)
    assert found.state is JobState.CANCELLED
    states = {one.state for one in found.candidates}
    assert State.CHECKED in states
    assert State.DRAFT in states


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rules": ("nowhere.main",)}, "nowhere.main"),
        ({"photo": b"no picture"}, "photo: expected one of JPEG"),
        ({"mask": b"no picture"}, "mask: expected one of JPEG"),
        ({"policy": "nowhere"}, "label policy: expected one of"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_its_field(
    kim: Client, changed: dict[str, Any], words: str
) -> None:
    photo, mask = product()
    asked = {"photo": photo, "mask": mask, "policy": ""} | {k: v for k, v in changed.items() if k != "rules"}
    rules = {name: value for name, value in changed.items() if name == "rules"}
    with pytest.raises(RequestError, match=words):
        kim.imagery.create(ImageOrder(brief=brief(**rules), **asked))


def test_a_photo_without_a_product_fails_its_order_and_says_why(folder: Path, kim: Client) -> None:
    photo, mask = product()
    black = encoded(np.zeros((600, 600), np.uint8), "PNG")
    job, _ = kim.imagery.create(ImageOrder(photo=photo, mask=black, brief=brief(count=1)))
    assert mask != black
    with worker(folder, "--once"):
        found = ended(kim, job.id)
    assert (found.state, found.attempts) == (JobState.FAILED, 1)
    assert "mask" in found.reason


def test_who_may_not_is_told_so(people: People, kim: Client, ada: Client, server: Server) -> None:
    with pytest.raises(RemotePermissionError, match="CreateJob"):
        ada.imagery.create(order())
    with Client(server.address, token=token(server.folder, "line", Role.STATION)) as line:
        for call in (line.imagery.jobs, lambda: line.imagery.get("0" * 32)):
            with pytest.raises(RemotePermissionError):
                call()
    with pytest.raises(NotFoundError, match="job '0000"):
        kim.imagery.get("0" * 32)
    with pytest.raises(NotFoundError, match="job '0000"):
        list(kim.imagery.watch("0" * 32))


def test_any_picture_is_held_against_the_rules(kim: Client) -> None:
    reports = kim.imagery.check(product()[0], ("google.merchant", "shopify"))
    assert [one.rule_set for one in reports] == ["google.merchant", "shopify"]
    with pytest.raises(RequestError, match="nowhere"):
        kim.imagery.check(product()[0], ("nowhere",))


def test_the_servers_process_never_meets_torch_and_its_worker_only_for_a_model_that_needs_it() -> None:
    code = (
        "import json, sys, server.app, server.commands.serve, server.commands.imagery_worker, vision.imagery.create\n"
        "print(json.dumps([one for one in ('torch', 'diffusers', 'transformers') if one in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_no_torch_is_loaded_into_a_server_that_has_taken_orders(server: Server, made: ImageJob) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "cv2" in maps, "the test looks where libraries are seen"


def test_a_worker_told_to_leave_gives_its_order_back(folder: Path, kim: Client) -> None:
    job, _ = kim.imagery.create(order(count=16))
    with worker(folder) as leaving:
        eventually(lambda: kim.imagery.get(job.id).candidates[0].state is State.CHECKED)
        leaving.terminate()
        out, _ = leaving.communicate(timeout=PATIENCE_S)
    assert leaving.returncode == 0
    assert json.loads(out)["turns"]["returned"] == 1
    assert kim.imagery.get(job.id).state is JobState.QUEUED
    kim.imagery.cancel(job.id)


def test_workers_killed_at_any_moment_lose_no_order_and_make_no_candidate_twice(
    folder: Path, kim: Client
) -> None:
    chance, count = Random(7), 3  # noqa: S311  (no secret)
    jobs = [kim.imagery.create(order(seed=0, count=count))[0].id for _ in range(2)]
    for kill in range(5):
        victim = start_worker(folder, "--name", f"victim-{kill}")
        eventually(lambda kill=kill: _taken(kim, jobs) > kill or _all_ended(kim, jobs))  # type: ignore[misc]
        time.sleep(chance.uniform(0, 2.0))
        victim.kill()
        victim.communicate(timeout=PATIENCE_S)
        if _all_ended(kim, jobs):
            break
        time.sleep(LEASE_S + 0.2)
    with worker(folder, "--name", "survivor"):
        found = [ended(kim, one) for one in jobs]

    assert [one.state for one in found] == [JobState.DONE] * 2, [one.reason for one in found]
    for one in found:
        acts = [(event.number, event.act) for event in kim.imagery.history(one.id)]
        assert sorted(acts) == sorted((n, act) for n in range(1, count + 1) for act in ("make", "check"))
        assert all(candidate.device_s > 0 for candidate in one.candidates)


def _taken(client: Client, jobs: list[str]) -> int:
    return sum(client.imagery.get(one).attempts for one in jobs)


def _all_ended(client: Client, jobs: list[str]) -> bool:
    return all(client.imagery.get(one).state.ended for one in jobs)
