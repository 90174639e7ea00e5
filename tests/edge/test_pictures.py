"""Pictures kept by value: which parts', as chance and outcome say; what cannot be kept is counted and told once."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Begun, Ended, Ledger, Outcome
from edge.parts import Finished
from edge.pictures import Pictures, Terms, sampled
from edge.ports import Shot
from edge.shelf import listing
from tests.bundles import frame, part
from tests.edge.test_ledger import NOON
from tests.pictures import small_disk
from vision.image import decode, encode_png

TERMS = Terms(budget_bytes=2**24, keep_free_bytes=0, accept_share=0.0)


def finished(number: int, outcome: Outcome, *images: bytes) -> Finished:
    return Finished(
        ended=Ended(part=number, outcome=outcome, reason="confident"),
        shots=tuple(Shot(image=one) for one in images),
    )


def hear(
    folder: Path, coming: Sequence[Finished], *, terms: Terms = TERMS, boot: str = "b00t"
) -> tuple[Pictures, list[str]]:
    """Pictures that have heard of parts and stopped, and their alarms."""
    alarms: list[str] = []

    async def work() -> Pictures:
        pictures = Pictures(folder, terms, boot=boot, alarm=alarms.append)
        await pictures.start()
        for one in coming:
            pictures.hear(one)
        await pictures.stop()
        await asyncio.sleep(0)
        return pictures

    return asyncio.run(work()), alarms


def kept(folder: Path) -> list[tuple[int, Outcome]]:
    return sorted((one.label.part, one.label.outcome) for one in listing(folder))


def test_whatever_was_not_accepted_is_kept_where_it_has_a_picture(tmp_path: Path) -> None:
    coming = [finished(number, outcome, b"x") for number, outcome in enumerate(Outcome, start=1)]
    unseen = Finished(ended=Ended(part=9, outcome=Outcome.FAULT, reason="unseen"))

    pictures, alarms = hear(tmp_path, [*coming, unseen])

    assert kept(tmp_path) == [(n, one) for n, one in enumerate(Outcome, start=1) if one is not Outcome.ACCEPT]
    assert (pictures.kept, pictures.lost, alarms) == (4, 0, [])


def test_pixels_are_kept_losslessly_and_files_as_they_came(tmp_path: Path) -> None:
    shots = (Shot(image=frame(part(1))), Shot(image=encode_png(part(2))))
    hear(tmp_path, [Finished(ended=Ended(part=1, outcome=Outcome.REJECT, reason="confident"), shots=shots)])
    (one,) = listing(tmp_path)
    first, second = [(tmp_path / name).read_bytes() for name in one.names]
    assert np.array_equal(decode(first).image_hwc, part(1))
    assert second == shots[1].image


def test_the_audits_sample_can_be_told_from_boot_and_part(tmp_path: Path) -> None:
    terms = Terms(budget_bytes=2**24, keep_free_bytes=0, accept_share=0.2)
    hear(tmp_path, [finished(n, Outcome.ACCEPT, b"x") for n in range(1, 101)], terms=terms)
    expected = [(n, Outcome.ACCEPT) for n in range(1, 101) if sampled("b00t", n, 0.2)]
    assert kept(tmp_path) == expected
    assert 5 <= len(expected) <= 40


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_the_sample_is_as_large_as_was_asked_for(share: float) -> None:
    drawn = sum(sampled(boot, n, share) for boot in ("one", "two") for n in range(20_000)) / 40_000
    assert drawn == pytest.approx(share, abs=0.01)


@given(boot=st.uuids(), number=st.integers(1, 10**9), share=st.floats(0, 1))
def test_who_is_in_a_sample_is_in_a_larger_one(boot: object, number: int, share: float) -> None:
    if sampled(str(boot), number, share):
        assert sampled(str(boot), number, (share + 1) / 2)


def test_what_the_thread_has_no_time_for_is_counted_and_told_once(tmp_path: Path) -> None:
    large = frame(np.zeros((3000, 3000, 3), np.uint8))  # 27 MB
    coming = [
        Finished(ended=Ended(part=n, outcome=Outcome.REJECT, reason="confident"), shots=(Shot(image=large),))
        for n in range(1, 5)
    ]
    pictures, alarms = hear(tmp_path, coming)
    assert pictures.lost == 3
    assert kept(tmp_path) == [(1, Outcome.REJECT)]
    assert alarms == [
        "pictures: those of part 2 are not kept: the disk was not fast enough; parts are judged all the same, and further losses are counted",
        "pictures: those of 3 parts were not kept",
    ]


def test_a_folder_that_cannot_be_made_costs_pictures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("in the way")
    pictures, alarms = hear(tmp_path / "pictures", [finished(1, Outcome.REJECT, b"x")])
    assert pictures.lost == 1
    assert "pictures: those of part 1 are not kept" in alarms[0]


def test_on_a_full_disk_parts_are_decided_and_not_stored_and_the_ledger_keeps_its_reserve(
    tmp_path: Path,
) -> None:
    reserve = 256 * 1024
    with small_disk(tmp_path / "disk", kibibytes=2048) as disk, ExitStack() as opened:
        ledger = Ledger(disk, boot="b00t", reserve_bytes=reserve)
        opened.callback(ledger.close)
        terms = Terms(budget_bytes=2**30, keep_free_bytes=reserve + 256 * 1024, accept_share=1.0)
        pictures, alarms = hear(
            disk / "pictures",
            [finished(n, Outcome.REJECT, bytes(100_000)) for n in range(1, 31)],
            terms=terms,
        )
        assert (pictures.kept, pictures.lost, alarms) == (30, 0, [])
        assert len(kept(disk / "pictures")) < 20, "the oldest made room"

        more, alarms = hear(
            disk / "pictures",
            [finished(n, Outcome.ACCEPT, bytes(500_000)) for n in range(31, 36)],
            terms=terms,
        )
        assert (more.kept, more.lost) == (0, 5)
        assert "those of part 31 are not kept" in alarms[0]
        assert alarms[1:] == ["pictures: those of 5 parts were not kept"]

        for n in range(1, 21):
            ledger.commit([Begun(part=n, at=NOON), Ended(part=n, outcome=Outcome.REJECT, reason="confident")])
        assert ledger.reserved
