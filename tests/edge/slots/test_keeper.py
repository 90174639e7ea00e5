"""One name's models in a running line, without models: which one judges, after whatever befell the state and the slots."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.judging import BundleJudges
from edge.ledger import Ended, Outcome
from edge.line import StationTable
from edge.parts import Finished, Judge, Judged
from edge.ports import Shot
from edge.slots.keeper import Keeper, Model
from edge.slots.seats import named
from edge.slots.state import Held
from edge.slots.trial import Terms
from tests.edge.slots.world import NAME, Box
from vision.errors import BundleError
from vision.inspection.policy import Decision, Reason, Verdict

TERMS = Terms(parts=30, minutes=60, more_faults=0.02, latency_ratio=1.5)
ONE, TWO = "1" * 64, "2" * 64


def judge_of(digest: str) -> Judge:
    def judge(_: tuple[Shot, ...]) -> Judged:
        return Judged(
            verdict=Verdict(decision=Decision.ACCEPT, reason=Reason.CONFIDENT, detail=""), bundle=digest
        )

    return judge


@dataclass
class World:
    """Stations of one model whose slots hold what `slots` says; loading one that is not there is an error."""

    box: Box
    slots: dict[str, str] = field(default_factory=dict)  # digests by where they lie
    stations: tuple[str, ...] = ("infeed",)
    terms: Terms = TERMS
    alarms: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    judges: dict[str, BundleJudges] = field(default_factory=dict)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.box.configure(stations=self.stations)
        self.factory = str(named(self.box.line)[NAME].digest)

    def start(self) -> "World":
        self.judges = {one: BundleJudges({}) for one in self.stations}
        self.keeper = Keeper(
            self.box.store,
            named(self.box.line)[NAME],
            self.open,
            judges=self.judges,
            terms=self.terms,
            starts=2,
            alarm=lambda station, what: self.alarms.append(f"{station}: {what}"),
        )
        return self

    def open(self, path: Path, table: StationTable, signed: bool) -> Model:
        where = path.name if signed else "configured"
        self.loads.append(where)
        digest = self.slots.get(where, self.factory if not signed else "")
        if not digest:
            raise BundleError(f"{path}: expected a bundle, found none")
        return Model(judge=judge_of(digest), digest=digest, typical_ms=lambda: 10.0)

    def install(self, digest: str, version: str) -> None:
        slot = self.box.store.read().free
        self.slots[slot] = digest
        held = Held(slot=slot, version=version, digest=digest, since=datetime.now(UTC))
        self.box.store.update(lambda now: now.forgotten(slot).installed(held, factory=self.factory))

    def runs(self, station: str = "infeed") -> str:
        """The digest that the next part would be judged by."""
        return self.judges[station].choose(None)(()).bundle

    def parts(
        self, count: int, model_ms: float = 10.0, *, station: str = "infeed", failed: bool = False
    ) -> None:
        for _ in range(count):
            judge = self.judges[station].choose(None)
            judged = Judged(verdict=judge(()).verdict, bundle="", timings={"model": model_ms})
            outcome = Outcome.FAULT if failed else Outcome.ACCEPT
            self.keeper.hear(
                Finished(
                    ended=Ended(part=1, outcome=outcome, reason="internal"),
                    shots=(Shot(image=b""),),
                    judge=judge,
                    judged=None if failed else judged,
                )
            )
            self.keeper.look()

    def trial(self) -> bool:
        return self.box.store.read().on_trial

    @property
    def reason(self) -> str:
        undone = self.box.store.read().last_rollback
        return "" if undone is None else undone.reason


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Box(tmp_path))


def test_a_line_without_installs_writes_nothing_and_runs_what_is_configured(world: World) -> None:
    world.start()
    world.parts(50)
    world.keeper.end()
    assert world.runs() == world.factory
    assert not world.box.store.folder.exists()


def test_an_install_is_noticed_tried_and_confirmed(world: World) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    assert world.runs() == ONE
    world.parts(29)
    assert world.trial()
    world.parts(1)
    assert not world.trial()
    assert not world.keeper.on_trial
    assert world.alarms == []


def test_parts_in_flight_keep_their_model_and_are_counted_for_it(world: World) -> None:
    world.start()
    in_flight = world.judges["infeed"].choose(None)
    world.install(ONE, "1.1")
    world.keeper.look()
    assert in_flight(()).bundle == world.factory
    part = Finished(
        ended=Ended(part=1, outcome=Outcome.FAULT, reason="internal"),
        shots=(Shot(image=b""),),
        judge=in_flight,
    )
    for _ in range(10):
        world.keeper.hear(part)
    world.keeper.look()
    assert world.runs() == ONE, "faults of the old one are not the new one's"


def test_a_slow_one_goes_and_the_old_one_is_not_loaded_again(world: World) -> None:
    world.start()
    world.parts(40, model_ms=2.0)
    world.install(ONE, "1.1")
    world.keeper.look()
    loaded = list(world.loads)
    world.parts(20, model_ms=3.5)  # quicker than what a measurement would say, slower than what was seen
    assert world.runs() == world.factory
    assert world.loads == loaded
    assert world.reason.startswith("latency: the model's median is 1.8 times")
    assert world.alarms == [f"infeed: plates: 1.1 was rolled back: {world.reason}"]


def test_one_that_fails_goes_at_once(world: World) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    world.parts(1, failed=True)
    assert world.runs() == world.factory
    assert world.reason.startswith("faults: 1 of 1")


def test_two_stations_swap_together_and_one_of_them_suffices_to_send_it_away(tmp_path: Path) -> None:
    world = World(Box(tmp_path), stations=("infeed", "outfeed")).start()
    world.install(ONE, "1.1")
    world.keeper.look()
    assert {world.runs(one) for one in world.stations} == {ONE}
    world.parts(1, station="outfeed", failed=True)
    assert {world.runs(one) for one in world.stations} == {world.factory}
    assert [one.split(":")[0] for one in world.alarms] == ["infeed", "outfeed"]


def test_what_cannot_be_loaded_is_rolled_back_and_what_runs_goes_on(world: World) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.slots["a"] = TWO  # another one lies there
    world.keeper.look()
    assert world.runs() == world.factory
    assert f"expected the bundle {ONE[:16]}, found {TWO[:16]}" in world.reason


@pytest.mark.parametrize(
    ("lost", "runs", "fallbacks"),
    [((), TWO, 0), (("b",), ONE, 1), (("a",), TWO, 0), (("a", "b"), "configured", 2)],
)
def test_at_the_start_the_first_bundle_that_can_be_loaded_runs(
    world: World, lost: tuple[str, ...], runs: str, fallbacks: int
) -> None:
    for digest, version in ((ONE, "1.1"), (TWO, "1.2")):
        world.install(digest, version)
        world.box.store.update(lambda now: now.confirmed())
    for slot in lost:
        world.slots[slot] = ""
    world.start()
    assert world.runs() == (world.factory if runs == "configured" else runs)
    assert len(world.alarms) == fallbacks


def test_a_trial_goes_on_after_a_start_beside_what_ran_before(world: World) -> None:
    world.install(ONE, "1.1")
    world.box.store.update(lambda now: now.confirmed())
    world.install(TWO, "1.2")
    world.start()
    assert world.runs() == TWO
    world.parts(20, model_ms=16)  # against 10 measured
    assert world.runs() == ONE


def test_a_trial_without_anything_to_fall_back_to_is_an_alarm_and_no_stop(world: World) -> None:
    world.install(ONE, "1.1")
    world.slots["configured"] = ""
    world.start()
    assert world.runs() == ONE
    assert "there is nothing to fall back to" in world.alarms[-1]


def test_not_even_the_configured_one_is_an_error(world: World) -> None:
    world.slots["configured"] = ""
    with pytest.raises(BundleError):
        world.start()


def test_the_third_start_of_a_trial_is_one_too_many(world: World) -> None:
    world.install(ONE, "1.1")
    for _ in range(2):
        assert world.start().runs() == ONE
    assert world.start().runs() == world.factory
    assert world.reason == "2 starts ended badly while it was on trial"


def test_a_start_that_ends_in_good_order_is_not_counted(world: World) -> None:
    world.install(ONE, "1.1")
    for _ in range(5):
        assert world.start().runs() == ONE
        world.keeper.end()


@pytest.mark.parametrize("confirmed", [False, True])
def test_by_hand_back_to_the_one_before(world: World, confirmed: bool) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    if confirmed:
        world.parts(30)
    world.box.store.update(lambda now: now.rolled_back("by hand", datetime.now(UTC)))
    world.keeper.look()
    assert world.runs() == world.factory
    assert not world.keeper.on_trial


def test_a_verdict_on_a_bundle_that_was_replaced_meanwhile_is_not_written(world: World) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    for _ in range(29):
        world.parts(1)
    world.box.store.update(lambda now: now.rolled_back("by hand", datetime.now(UTC)))
    world.install(TWO, "1.2")
    world.parts(1)  # ends the trial of the one that is not active any more
    assert world.trial()
    world.keeper.look()
    assert world.runs() == TWO


def test_another_bundle_in_the_line_s_file_takes_the_slot_s_place(world: World) -> None:
    world.install(ONE, "1.1")
    world.box.store.update(lambda now: now.confirmed())
    new = world.box.bundle("3.0")
    world.box.configure(bundle=new.path.name)
    world.factory = new.digest()
    world.start()
    assert world.runs() == new.digest()
    assert "line.toml names another bundle" in world.alarms[0]


def damaged(world: World) -> None:
    world.box.store.file.write_text("{")


def newer(world: World) -> None:
    world.box.store.file.write_text('{"schema_version": 2}')


@pytest.mark.parametrize("befalls", [damaged, newer])
def test_a_state_that_cannot_be_read_is_set_aside_at_the_start_and_left_alone_while_the_line_runs(
    world: World, befalls: Callable[[World], None]
) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    befalls(world)
    world.keeper.look()
    assert world.runs() == ONE
    assert "what runs goes on" in world.alarms[-1]
    world.start()
    assert world.runs() == world.factory
    assert any(one.name.startswith("state.json.damaged-") for one in world.box.store.folder.iterdir())


def test_a_disk_that_refuses_is_an_alarm_and_the_old_model_judges_all_the_same(world: World) -> None:
    world.start()
    world.install(ONE, "1.1")
    world.keeper.look()
    (world.box.store.folder / "lock").unlink()
    (world.box.store.folder / "lock").mkdir()  # so that nothing can be written
    world.parts(1, failed=True)
    assert world.runs() == world.factory
    assert "may not know what was decided" in world.alarms[-1]
