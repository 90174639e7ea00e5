"""`loupe inspect --server`: the same answers in the same shape, whoever judged."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.bundles import make_bundle, spotted
from tests.vision.client.fake_server import CERTIFICATE, FakeServer, HangUp, Judge, Refuse, served_model
from tests.vision.commands.conftest import Loupe
from tests.vision.commands.test_main import without
from vision.image import encode_png
from vision.v1 import models_pb2

TOKEN = "loupe_0123456789abcdef_secret-part"  # noqa: S105  (of nobody)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUPE_TOKEN", raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """The fake server takes a picture for what its bytes say."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, label in zip(paths, ("good", "red"), strict=True):
        path.write_text(label)
    return paths


def test_each_picture_gets_the_servers_verdict_in_its_place(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    said = loupe("inspect", "--server", server.address, *pictures, "--json")
    assert said.code == 0, said.err
    assert [(result["image"], result["decision"]) for result in said.json["results"]] == [
        (str(pictures[0]), "accept"),
        (str(pictures[1]), "reject"),
    ]
    assert said.json["counts"] == {"accept": 1, "reject": 1, "review": 0}
    assert said.json["certificate"] == CERTIFICATE
    assert said.json["server"] == server.address
    assert [result["result_id"] for result in said.json["results"]] == ["result of good", "result of red"]


def test_one_picture_alone_is_a_picture_and_no_bundle(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    said = loupe("inspect", pictures[1], "--server", server.address, "--json")
    assert [result["label"] for result in said.json["results"]] == ["red"]


def test_what_is_said_has_the_shape_of_what_is_said_here(
    server: FakeServer, pictures: list[Path], tmp_path: Path, loupe: Loupe
) -> None:
    (tmp_path / "spotted.png").write_bytes(encode_png(spotted()))
    bundle = make_bundle(tmp_path / "plates.loupe").path
    asked = ("--explain", "--heatmap", tmp_path / "maps", "--json")
    here = loupe("inspect", bundle, tmp_path / "spotted.png", *asked).json
    there = loupe("inspect", "--server", server.address, pictures[1], *asked).json
    _assert_holds_the_keys_of(here, there)


def _assert_holds_the_keys_of(here: object, there: object, at: str = "") -> None:
    if isinstance(here, dict) and there is not None and not at.endswith("/probabilities"):
        assert isinstance(there, dict), at
        assert set(here) <= set(there), at
        for key, value in here.items():
            _assert_holds_the_keys_of(value, there[key], f"{at}/{key}")
    elif isinstance(here, list):
        assert isinstance(there, list), at
        assert len(here) == len(there), at
        for one, other in zip(here, there, strict=True):
            _assert_holds_the_keys_of(one, other, at)


def test_evidence_is_explained_and_drawn_where_it_is_asked_for(
    server: FakeServer, pictures: list[Path], tmp_path: Path, loupe: Loupe
) -> None:
    said = loupe(
        "inspect",
        "--server",
        server.address,
        *pictures,
        "--explain",
        "--heatmap",
        tmp_path / "maps",
        "--json",
    )
    good, red = said.json["results"]
    assert red["explanation"]["box_xyxy"] == [1, 2, 3, 4]
    assert red["explanation"]["counterfactual"]["decision"] == "accept"
    assert "with it replaced by its surroundings the verdict would be accept" in red["explanation"]["text"]
    assert (tmp_path / "maps" / "b.png").read_bytes() == b"\x89PNG of red"
    assert (good["heatmap"], red["heatmap"]) == (f"{tmp_path}/maps/a.png", f"{tmp_path}/maps/b.png")
    plain = loupe("inspect", "--server", server.address, *pictures, "--json")
    assert not {"explanation", "heatmap"} & set(plain.json["results"][0])


def test_people_see_the_same_table(server: FakeServer, pictures: list[Path], loupe: Loupe) -> None:
    said = loupe("inspect", "--server", server.address, *pictures)
    assert said.code == 0
    assert "it looks red" in said.out
    assert CERTIFICATE in said.out
    server.models[0].certificate = ""
    assert (
        "no certificate: nothing is accepted" in loupe("inspect", "--server", server.address, *pictures).out
    )


def test_a_picture_at_fault_goes_to_review_and_the_others_are_judged(
    server: FakeServer, pictures: list[Path], tmp_path: Path, loupe: Loupe
) -> None:
    server.script.then(Judge(), Refuse(grpc.StatusCode.INVALID_ARGUMENT, "image: cannot be decoded"))
    absent = tmp_path / "absent.png"
    said = loupe("inspect", "--server", server.address, *pictures, absent, "--json")
    assert said.code == 2
    judged, refused, unread = said.json["results"]
    assert judged["decision"] == "accept"
    assert refused["error"] == f"{pictures[1]}: {server.address}: image: cannot be decoded"
    assert unread["error"] == f"{absent}: cannot be read: No such file or directory"
    for result in (refused, unread):
        assert (result["decision"], result["reason"], result["probability"]) == ("review", "fault", None)


def test_a_server_that_cannot_judge_ends_with_1(
    server: FakeServer, pictures: list[Path], tmp_path: Path, loupe: Loupe
) -> None:
    server.script.then(Judge(), Refuse(grpc.StatusCode.INTERNAL, "the disk is full"))
    said = loupe("inspect", "--server", server.address, *pictures, tmp_path / "absent.png", "--json")
    assert said.code == 1
    assert [result["decision"] for result in said.json["results"]] == ["accept", "review", "review"]


def test_a_stream_that_is_refused_halfway_leaves_no_picture_without_a_result(
    server: FakeServer, tmp_path: Path, loupe: Loupe
) -> None:
    server.script.then(Judge(), HangUp(grpc.StatusCode.UNAUTHENTICATED, "the token was revoked"))
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        path.write_text("good")
    said = loupe("inspect", "--server", server.address, *paths, "--json")
    assert said.code == 1
    assert [result["image"] for result in said.json["results"]] == [str(path) for path in paths]
    assert said.json["counts"] == {"accept": 1, "reject": 0, "review": 39}
    assert said.json["results"][39]["error"].endswith("the token was revoked")


def test_the_token_is_read_from_the_environment_or_a_file(
    server: FakeServer, pictures: list[Path], tmp_path: Path, loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from-the-file\n")
    monkeypatch.setenv("LOUPE_TOKEN", TOKEN)
    for more in ([], ["--token-file", tmp_path / "token"]):
        assert loupe("inspect", "--server", server.address, *pictures, *more).code == 0
    sent = [one.get("authorization") for one in server.script.metadata]
    assert sent == [f"Bearer {TOKEN}", "Bearer from-the-file"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b" \n", "expected a token, found nothing"),
        (b"\xff", "no text"),
    ],
)
def test_a_token_file_without_a_token_is_named(
    content: bytes | None,
    message: str,
    server: FakeServer,
    pictures: list[Path],
    tmp_path: Path,
    loupe: Loupe,
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    said = loupe(
        "inspect", "--server", server.address, *pictures, "--token-file", tmp_path / "token", "--json"
    )
    assert said.code == 2
    assert f"{tmp_path}/token: " in said.json["error"]["message"]
    assert message in said.json["error"]["message"]


def test_a_token_is_not_sent_in_plain_text_beyond_this_machine(
    pictures: list[Path], loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_TOKEN", TOKEN)
    said = loupe("inspect", "--server", "line-server:50051", *pictures, "--json")
    assert said.code == 2
    assert "expected TLS" in said.json["error"]["message"]
    assert "secret" not in said.out + said.err


def test_a_certificate_file_that_is_none_is_named(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    said = loupe("inspect", "--server", server.address, "--tls-ca", pictures[0], *pictures, "--json")
    assert said.code == 2
    assert f"{pictures[0]}: expected certificates in PEM" in said.json["error"]["message"]


@pytest.mark.parametrize("address", ["line-server", "http://localhost:1"])
def test_what_is_no_address_is_refused(address: str, pictures: list[Path], loupe: Loupe) -> None:
    said = loupe("inspect", "--server", address, *pictures, "--json")
    assert said.code == 2
    assert f"found '{address}'" in said.json["error"]["message"]


def test_a_server_that_knows_nobody_ends_the_command(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    server.script.then(Refuse(grpc.StatusCode.UNAUTHENTICATED, "expected a token, found none"))
    said = loupe("inspect", "--server", server.address, *pictures, "--json")
    assert said.code == 1
    assert said.json["error"] == {
        "type": "AuthenticationError",
        "message": f"{server.address}: expected a token, found none",
    }


def test_the_model_is_the_named_one_or_the_only_one(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    server.models.append(served_model("cells", certificate="of cells"))
    server.models.append(served_model("broken", state=models_pb2.MODEL_STATE_FAILED))
    unnamed = loupe("inspect", "--server", server.address, *pictures, "--json")
    assert unnamed.code == 2
    assert "expected --model with one of cells, plates, found none" in unnamed.json["error"]["message"]
    for name in ("absent", "broken"):
        absent = loupe("inspect", "--server", server.address, "--model", name, *pictures, "--json")
        assert absent.code == 2
        assert f"expected the model '{name}', found cells, plates" in absent.json["error"]["message"]
    assert server.script.received == []
    cells = loupe("inspect", "--server", server.address, "--model", "cells", *pictures, "--json")
    assert cells.json["certificate"] == "of cells"
    assert {request.model for request in server.script.received} == {"cells"}


def test_a_server_without_a_model_answers_by_its_fallback(
    server: FakeServer, pictures: list[Path], loupe: Loupe
) -> None:
    server.models.clear()
    said = loupe("inspect", "--server", server.address, *pictures, "--json")
    assert said.code == 0
    assert (said.json["certificate"], said.json["model"]["file"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--server", "localhost:1", "--threads", "2"), "--threads goes with a bundle, not with --server."),
        (("--server", "localhost:1", "--trusted-key", "a.pub"), "--trusted-key goes with a bundle"),
        (("--model", "plates"), "--model goes with --server alone."),
        (("--token-file", "token"), "--token-file goes with --server alone."),
        (("--tls-ca", "ca.pem"), "--tls-ca goes with --server alone."),
    ],
)
def test_options_of_the_other_form_are_wrong_usage(
    options: tuple[str, ...], message: str, loupe: Loupe
) -> None:
    said = loupe("inspect", "plates.loupe", "part.png", *options)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_bundle_without_pictures_is_wrong_usage(loupe: Loupe) -> None:
    said = loupe("inspect", "plates.loupe")
    assert (said.code, said.out) == (2, "")
    assert "Missing argument 'images'" in said.err


def test_pictures_are_sent_under_their_names_whatever_these_hold(
    server: FakeServer, tmp_path: Path, loupe: Loupe
) -> None:
    strange = tmp_path / "\udcff[red].png"
    strange.write_text("good")
    said = loupe("inspect", "--server", server.address, strange, "--json")
    assert said.code == 0
    assert [request.part for request in server.script.received] == ["?[red].png"]


def test_the_installed_script_asks_a_server_and_says_what_to_install_where_it_cannot(
    server: FakeServer, pictures: list[Path], tmp_path: Path, installed_loupe: Loupe
) -> None:
    said = installed_loupe("inspect", "--server", server.address, *pictures, "--json", LOUPE_TOKEN=TOKEN)
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["counts"] == {"accept": 1, "reject": 1, "review": 0}
    lacking = without(tmp_path, "grpc")
    said = installed_loupe("inspect", "--server", server.address, *pictures, **lacking)
    assert said.code == 1
    assert "this needs 'grpc', which is not installed; run: pip install 'loupe[server]'" in said.err
