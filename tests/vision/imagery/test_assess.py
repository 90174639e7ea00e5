"""Candidates and what is found of them: each with its own, in order, and looked at while the next is made."""

import threading
from collections.abc import Iterator

import pytest
from typing_extensions import override

from tests.vision.imagery.products import Noisy, ignore
from tests.vision.imagery.test_create import MASK, MUG, brief
from vision.errors import GuardError
from vision.imagery.assess import Assessed, Assessor, assessed
from vision.imagery.brief import Brief
from vision.imagery.create import Candidate, Prepared, make, prepare

ORDER = brief(rules=["ebay"], count=3)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(MUG.photo_png, MASK, ORDER)


def made(prepared: Prepared, order: Brief) -> Iterator[Candidate]:
    for number in range(1, order.count + 1):
        yield make(prepared, order, number, Noisy(), ignore)


def test_each_candidate_comes_in_its_turn_with_what_was_found_of_it(prepared: Prepared) -> None:
    assessor = Assessor(prepared=prepared, brief=ORDER)
    found = list(assessed(made(prepared, ORDER), assessor))
    assert [candidate.number for candidate, _ in found] == [1, 2, 3]
    for candidate, seen in found:
        assert seen == assessor.assess(candidate.master_png)
        assert [report.rule_set for report in seen.reports] == ["ebay"]


def test_a_candidate_is_looked_at_elsewhere_than_the_next_is_made(prepared: Prepared) -> None:
    here, elsewhere = threading.current_thread(), list[threading.Thread]()

    class Watched(Assessor):
        @override
        def assess(self, master_png: bytes) -> Assessed:
            elsewhere.append(threading.current_thread())
            return super().assess(master_png)

    def watched() -> Iterator[Candidate]:
        for candidate in made(prepared, ORDER):
            assert threading.current_thread() is here
            yield candidate

    assert len(list(assessed(watched(), Watched(prepared=prepared, brief=ORDER)))) == 3
    assert here not in elsewhere


def test_what_ends_the_making_ends_it_all(prepared: Prepared) -> None:
    def broken() -> Iterator[Candidate]:
        yield from made(prepared, brief(count=1))
        raise GuardError("no memory is left")

    with pytest.raises(GuardError, match="no memory is left"):
        list(assessed(broken(), Assessor(prepared=prepared, brief=ORDER)))
