"""The bundles that `check` and `record` open: those of the slots, as far as they can be used."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.slots.in_use import in_use
from edge.slots.install import install
from tests.edge.slots.world import Box
from vision.bundle import open_bundle
from vision.settings import Settings


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def put(box: Box, version: str) -> Path:
    """Installed, without the self-test that takes a second; where it lies."""
    bundle = box.bundle(version)
    held = install(bundle.path, box.line, box.settings, test=lambda folder, _: open_bundle(folder).digest())[
        1
    ]
    return box.store.path(held.slot)


def opened(
    box: Box, *, trials: bool = True, settings: Settings | None = None
) -> tuple[Path | None, list[str]]:
    alarms: list[str] = []
    line = in_use(
        box.line,
        settings or box.settings,
        trials=trials,
        alarm=lambda station, what: alarms.append(f"{station}: {what}"),
    )
    return line.station[0].bundle, alarms


def test_what_is_on_trial_is_opened_only_where_trials_are_asked_for(box: Box) -> None:
    configured, _ = opened(box)
    slot = put(box, "1.1")
    assert opened(box) == (slot, [])
    assert opened(box, trials=False) == (configured, [])
    box.store.update(lambda now: now.confirmed())
    assert opened(box, trials=False) == (slot, [])
    put(box, "1.2")
    assert opened(box, trials=False) == (slot, []), "the previous one"


def test_a_slot_that_is_damaged_or_not_trusted_any_more_is_said_and_not_used(box: Box) -> None:
    configured, _ = opened(box)
    slot = put(box, "1.1")
    assert opened(box, settings=Settings(cache_dir=box.folder))[0] == configured
    (slot / "model.onnx").write_bytes(b"damage")
    bundle, alarms = opened(box)
    assert bundle == configured
    assert alarms == ["infeed: plates: slot a: expected the bundle 1.1, signed by a trusted key; found none"]


def test_after_a_rollback_the_configured_one_is_opened(box: Box) -> None:
    configured, _ = opened(box)
    put(box, "1.1")
    box.store.update(lambda now: now.rolled_back("by hand", datetime.now(UTC)))
    assert opened(box) == (configured, [])


def test_every_product_of_a_name_gets_the_slot_s_bundle(box: Box) -> None:
    slot = put(box, "1.1")
    path = box.folder / "line.toml"
    path.write_text(
        path.read_text().replace(
            'bundle = "plates-1.0.loupe"',
            'changeover = { source = { kind = "operator" }, recipe = [{ code = 7, bundle = "plates-1.0.loupe" }] }',
        )
    )
    line = in_use(box.line, box.settings, trials=True, alarm=lambda *_: None)
    assert line.station[0].bundles() == {7: slot}
