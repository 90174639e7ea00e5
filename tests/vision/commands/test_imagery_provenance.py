"""`loupe imagery keygen` and `verify`: whose image it is, whether it is whole, and what it says of itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, png_chunk
from tests.vision.commands.conftest import Loupe
from tests.vision.imagery.finished import CN, Finished, exported, finished, lenient
from vision.imagery.certificates import read_signer
from vision.imagery.labels.aigc import Aigc


def made() -> Finished:
    return finished().synthetic()


@pytest.fixture
def keys(tmp_path: Path, loupe: Loupe) -> Path:
    assert loupe("imagery", "keygen", "--out", tmp_path / "keys", "--organisation", "My Shop").code == 0
    return tmp_path / "keys"


@pytest.fixture
def image(tmp_path: Path, keys: Path) -> Path:
    """An export, and beside it what it was made from."""
    by = read_signer(keys / "signer.pem", keys / "signer.key")
    path = tmp_path / "mug.png"
    path.write_bytes(exported(made(), by, rules=lenient(formats=("PNG",)), policy=CN).data)
    (tmp_path / "candidate-1.json").write_bytes(made().manifest.canonical())
    (tmp_path / "photo.png").write_bytes(made().photo)
    (tmp_path / "alpha.png").write_bytes(made().alpha_png)
    return path


def made_from(image: Path) -> list[str | Path]:
    folder = image.parent
    return [
        "--manifest",
        folder / "candidate-1.json",
        "--photo",
        folder / "photo.png",
        "--alpha",
        folder / "alpha.png",
    ]


def test_keygen_says_that_nobody_else_trusts_these(tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "keygen", "--out", tmp_path / "keys", "--json")
    assert said.code == 0
    assert said.json["publicly_trusted"] is False
    assert "nobody but those who are given root.pem trusts these certificates" in said.err
    assert Path(said.json["key"]).stat().st_mode & 0o077 == 0


def test_keygen_overwrites_no_key(keys: Path, loupe: Loupe) -> None:
    before = (keys / "signer.key").read_bytes()
    said = loupe("imagery", "keygen", "--out", keys)
    assert said.code == 1
    assert "exists already and is not overwritten" in said.err
    assert (keys / "signer.key").read_bytes() == before


def test_verify_tells_everything_of_a_trusted_image(image: Path, keys: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "verify", image, "--trust", keys / "root.pem", *made_from(image), "--json")
    assert said.code == 0, said.out
    found = said.json
    assert (found["ok"], found["trust"], found["signed_by"], found["format"]) == (
        True,
        "trusted",
        "My Shop",
        "PNG",
    )
    assert found["labels"]["digital_source_type"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert Aigc.model_validate(found["labels"]["aigc"]).producer == "shop"
    assert found["labels"]["explicit"] == ["zh"]
    assert (found["product"]["kept"], found["product"]["max_delta"]) == (True, 0)
    assert found["generation"]["manifest"] == made().manifest.digest()


def test_verify_tells_people_the_same(image: Path, keys: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "verify", image, "--trust", keys / "root.pem", *made_from(image))
    assert "credentials trusted, signed by My Shop" in said.out
    assert "explicit label: zh, right bottom" in said.out
    assert "product kept" in said.out


def test_an_image_by_somebody_unknown_will_do_only_where_nobody_was_asked_for(
    image: Path, loupe: Loupe, tmp_path: Path
) -> None:
    assert loupe("imagery", "verify", image).code == 0
    loupe("imagery", "keygen", "--out", tmp_path / "other")
    said = loupe("imagery", "verify", image, "--trust", tmp_path / "other" / "root.pem", "--json")
    assert (said.code, said.json["ok"], said.json["trust"]) == (1, False, "valid")
    assert "signingCredential.untrusted" in said.json["problems"][0]


def test_metadata_added_after_signing_fails(image: Path, keys: Path, loupe: Loupe) -> None:
    data = image.read_bytes()
    image.write_bytes(data[:-12] + png_chunk(b"tEXt", b"Comment\0hello") + data[-12:])
    said = loupe("imagery", "verify", image, "--trust", keys / "root.pem", "--json")
    assert (said.code, said.json["trust"]) == (1, "invalid")


def test_a_label_added_after_signing_is_a_contradiction_besides(image: Path, loupe: Loupe) -> None:
    data = image.read_bytes()
    other = Aigc.of("other", "number-2").to_json().encode()
    image.write_bytes(data[:-12] + png_chunk(b"tEXt", b"AIGC\0" + other) + data[-12:])
    said = loupe("imagery", "verify", image, "--json")
    assert (said.code, said.json["trust"]) == (1, "invalid")
    assert "contradict each other" in said.json["labels"]["problems"][0]


def test_an_image_that_was_saved_again_fails(image: Path, loupe: Loupe) -> None:
    with Image.open(io.BytesIO(image.read_bytes())) as picture:
        image.write_bytes(encoded(Image.fromarray(np.asarray(picture)), "PNG"))
    said = loupe("imagery", "verify", image, "--json")
    assert (said.code, said.json["trust"]) == (1, "absent")
    assert said.json["labels"]["explicit"] == ["zh"]  # what is drawn stays


def test_a_changed_product_fails(image: Path, keys: Path, loupe: Loupe) -> None:
    changed: Finished = made().with_master(lambda master: master[300, 300].fill(0), told=False)
    image.write_bytes(changed.master_png)
    said = loupe("imagery", "verify", image, *made_from(image), "--json")
    assert said.code == 1
    assert said.json["product"]["kept"] is False
    assert said.json["product"]["max_delta"] > 0


def test_a_part_of_what_the_product_is_checked_by_is_not_enough(image: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "verify", image, "--photo", image.parent / "photo.png")
    assert said.code == 2
    assert "--manifest, --photo, --alpha: expected all three of them" in said.err


@pytest.mark.parametrize("name", ["missing.jpg", "candidate-1.json"])
def test_what_is_no_image_ends_with_2(name: str, image: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "verify", image.parent / name, "--json")
    assert said.code == 2
    assert said.json["error"]["type"] == "ImageError"
    assert name in said.json["error"]["message"]
