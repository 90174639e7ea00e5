"""Models come and go while others are served: loaded beside the old one, swapped whole, and never by a path."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.batching import Lane
from server.loading import InspectionModel, Opening
from server.models import Models
from tests.bundles import flipped, make_bundle, part, prepared_batch
from vision.errors import BundleError, InputError, LoupeError, NotFoundError, OverloadedError
from vision.preprocess import Prepared

pytestmark = pytest.mark.asyncio

SMALL = Opening(max_batch=2)


@pytest_asyncio.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Models]:
    """Over a folder that is still empty."""
    (tmp_path / "served").mkdir()
    found = Models(tmp_path / "served", SMALL)
    yield found
    await found.close()


def corrupt(bundle: Path) -> None:
    """Flip a bit in the middle of the archive: in the model, which is most of it."""
    data = bundle.read_bytes()
    bundle.write_bytes(flipped(data, 4 * len(data)))


async def ask(model: InspectionModel) -> int:
    """Have a part judged; gives the size of its batch."""
    picture = prepared_batch(part())[0]
    one = Prepared(image_hwc=picture, scale_xy=(1, 1), offset_xy=(0, 0), source_wh=(64, 64))
    deadline = time.monotonic() + 60
    with model.batcher.admitted(deadline=deadline, lane=Lane.LINE):
        return (await model.batcher.submit(one, deadline=deadline, lane=Lane.LINE)).batch


# --- a folder


async def test_a_folder_of_bundles_and_archives_is_served_under_the_manifests_names(empty: Models) -> None:
    make_bundle(empty.folder / "first.loupe", name="plates")
    make_bundle(empty.folder / "second", name="cells")
    (empty.folder / "notes.txt").write_text("no bundle")
    (empty.folder / "drafts").mkdir()

    await empty.load_all()

    assert [model.name for model in empty.served()] == ["cells", "plates"]
    assert empty.failures == {}
    assert "plates" in empty
    assert "first" not in empty


async def test_of_several_versions_in_the_folder_the_latest_is_served(empty: Models) -> None:
    for version in ("1.10", "1.9", "1.2"):
        make_bundle(empty.folder / f"plates-{version}.loupe", name="plates", version=version)

    await empty.load_all()

    assert [model.version for model in empty.served()] == ["1.10"]


async def test_a_loaded_model_knows_what_it_is_and_what_it_costs(
    model: InspectionModel, bundle: Path
) -> None:
    assert (model.name, model.version, model.path.name) == ("plates", "1.0", bundle.name)
    assert len(model.digest) == 64
    assert model.cost.of(2) > 0
    assert model.load_s > 0
    assert await ask(model) == 1


async def test_a_corrupt_bundle_costs_the_one_beside_it_nothing(empty: Models) -> None:
    make_bundle(empty.folder / "good-1.0.loupe", name="good")
    make_bundle(empty.folder / "broken-2.1.loupe", name="broken")
    corrupt(empty.folder / "broken-2.1.loupe")

    await empty.load_all()

    assert [model.name for model in empty.served()] == ["good"]
    assert list(empty.failures) == ["broken-2.1"]
    assert "broken-2.1.loupe" in empty.failures["broken-2.1"]


async def test_a_failed_folder_is_known_by_its_whole_name_whatever_dots_it_holds(empty: Models) -> None:
    for version in ("1.0", "1.1"):
        make_bundle(empty.folder / f"plates-{version}")
        (empty.folder / f"plates-{version}" / "model.onnx").write_bytes(b"no model")

    await empty.load_all()

    assert sorted(empty.failures) == ["plates-1.0", "plates-1.1"]


async def test_no_folder_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--models .*nowhere: expected a folder of bundles, found none"):
        await Models(tmp_path / "nowhere", SMALL).load_all()


async def test_where_a_signature_is_required_unsigned_bundles_are_not_served(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    make_bundle(tmp_path / "signed.loupe", name="signed", key=key)
    make_bundle(tmp_path / "unsigned.loupe", name="unsigned")
    make_bundle(tmp_path / "foreign.loupe", name="foreign", key=Ed25519PrivateKey.generate())
    models = Models(tmp_path, Opening(trusted=(key.public_key(),), require_signature=True, max_batch=1))

    await models.load_all()

    assert [model.name for model in models.served()] == ["signed"]
    assert sorted(models.failures) == ["foreign", "unsigned"]
    await models.close()


# --- by which name


async def test_the_empty_name_is_the_only_model_and_no_other(models: Models) -> None:
    assert models.get("").name == "plates"

    make_bundle(models.folder / "cells.loupe", name="cells")
    await models.load("cells")

    with pytest.raises(NotFoundError, match="expected a name, since 2 are served: cells, plates"):
        models.get("")


async def test_an_unknown_model_is_refused_with_the_names_of_those_served(
    models: Models, empty: Models
) -> None:
    with pytest.raises(NotFoundError, match="model 'cells': expected one of those served: plates"):
        models.get("cells")
    with pytest.raises(NotFoundError, match="expected one of those served: none"):
        empty.get("plates")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "./plates-1.0", "plates-1.0/", "deeper/plates", "/etc", "\0", "missing"],
)
async def test_what_is_no_name_in_the_folder_is_not_found(name: str, models: Models, bundle: Path) -> None:
    shutil.copy(bundle, models.folder.parent / "outside.loupe")
    (models.folder / "deeper").mkdir()
    shutil.copy(bundle, models.folder / "deeper" / "plates.loupe")

    with pytest.raises(NotFoundError, match="expected one in the model folder, found none"):
        await models.load(name)

    assert [model.path.name for model in models.served()] == ["plates-1.0.loupe"]


async def test_an_absolute_path_is_not_found_even_where_it_leads_into_the_folder(models: Models) -> None:
    with pytest.raises(NotFoundError):
        await models.load(str(models.folder / "plates-1.0"))
    with pytest.raises(NotFoundError):
        await models.load(str(models.folder / "plates-1.0.loupe"))


@pytest.mark.parametrize("name", ["plates-1.0", "plates-1.0.loupe"])
async def test_a_bundle_is_loaded_by_its_name_with_or_without_its_ending(name: str, models: Models) -> None:
    assert (await models.load(name)).name == "plates"


# --- changing


async def test_a_new_version_takes_the_place_of_the_old_one(models: Models) -> None:
    told: list[str] = []
    models.changed = told.append
    old = models.inspection("plates")
    make_bundle(models.folder / "plates-2.0", version="2.0")

    new = await models.load("plates-2.0")

    assert models.inspection("plates") is new
    assert [model.version for model in models.served()] == ["2.0"]
    assert told == ["plates"]
    assert await ask(old) == 1, "who had the old one in hand is still answered"


async def test_the_version_before_the_last_is_retired(models: Models) -> None:
    first = models.inspection("plates")
    await models.load("plates-1.0")
    await models.load("plates-1.0")

    with pytest.raises(OverloadedError):
        await ask(first)
    assert await ask(models.inspection("plates")) == 1


async def test_a_failed_load_leaves_what_was_served_and_is_told(models: Models) -> None:
    told: list[str] = []
    attempts: list[LoupeError | None] = []
    models.changed, models.attempted = told.append, attempts.append
    old = models.inspection("plates")
    corrupt(models.folder / "plates-1.0.loupe")

    with pytest.raises(BundleError, match=r"plates-1\.0\.loupe"):
        await models.load("plates-1.0")

    assert models.inspection("plates") is old
    assert await ask(old) == 1
    assert list(models.failures) == ["plates-1.0"]
    assert told == []
    assert isinstance(attempts[0], BundleError)


async def test_a_load_that_succeeds_makes_an_earlier_failure_forgotten(models: Models, bundle: Path) -> None:
    attempts: list[LoupeError | None] = []
    models.attempted = attempts.append
    corrupt(models.folder / "plates-1.0.loupe")
    with pytest.raises(BundleError):
        await models.load("plates-1.0")
    shutil.copy(bundle, models.folder)

    await models.load("plates-1.0")

    assert models.failures == {}
    assert attempts[1:] == [None]


async def test_requests_are_answered_all_through_a_load(models: Models) -> None:
    loading = asyncio.create_task(models.load("plates-1.0"))
    answered = 0
    while not loading.done():
        answered += await ask(models.inspection("plates"))

    await loading
    assert answered > 0


async def test_loads_that_are_asked_for_together_come_one_after_the_other(models: Models) -> None:
    for version in ("2.0", "3.0", "4.0"):
        make_bundle(models.folder / f"plates-{version}.loupe", version=version)

    loaded = await asyncio.gather(*(models.load(f"plates-{number}.0") for number in (2, 3, 4)))

    assert [model.version for model in loaded] == ["2.0", "3.0", "4.0"]
    assert models.inspection("plates") is loaded[-1]


async def test_an_unloaded_model_is_gone_and_its_name_can_be_served_again(models: Models) -> None:
    told: list[tuple[str, bool]] = []
    models.changed = lambda name: told.append((name, name in models))
    old = models.inspection("plates")

    await models.unload("plates")

    with pytest.raises(NotFoundError):
        models.inspection("plates")
    with pytest.raises(OverloadedError):
        await ask(old)
    await models.load("plates-1.0")
    assert told == [("plates", False), ("plates", True)]


async def test_unloading_what_is_not_served_is_an_error(models: Models) -> None:
    with pytest.raises(NotFoundError, match="'cells'"):
        await models.unload("cells")


async def test_a_change_is_told_under_the_models_own_name(models: Models) -> None:
    told: list[str] = []
    models.changed = told.append

    await models.unload("")

    assert told == ["plates"], "the empty name is the whole server to those who watch health"


async def test_unloading_waits_for_what_is_in_flight(models: Models) -> None:
    asked = [asyncio.create_task(ask(models.inspection("plates"))) for _ in range(5)]
    await asyncio.sleep(0)

    await models.unload("plates")

    assert all(one.done() for one in asked)
    assert sum([await one for one in asked]) >= 5
