"""A table of products is answered row for row: what is wrong with one row is its own, and what is done stays done."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.catalog_bundles import LEVELS
from tests.vision.catalog.bulk.tables import kind_of, photos, results, rows, table
from vision.catalog.bulk.here import Here
from vision.catalog.bulk.items import choose_columns
from vision.catalog.bulk.job import Job, run
from vision.catalog.bulk.products import Answer, Categorizes, Load
from vision.catalog.bulk.results import check_target, column_types
from vision.catalog.categorize import Categorizer
from vision.errors import SettingsError, StorageError, UnavailableError
from vision.files import held

PART_ROWS = 16
MANY = 2 * PART_ROWS + 10


@dataclass
class Counting:
    """Passes products on and counts them; fails where `breaks` says so."""

    by: Here
    breaks: Callable[[int], bool] = lambda _: False
    asked: int = 0

    @property
    def identity(self) -> str:
        return self.by.identity

    @property
    def levels(self) -> Sequence[str]:
        return self.by.levels

    @property
    def title_columns(self) -> Sequence[str]:
        return self.by.title_columns

    @property
    def attributes(self) -> Sequence[str]:
        return self.by.attributes

    def answers(self, products: Iterable[Load]) -> Generator[Answer, None, None]:
        def counted() -> Iterator[Load]:
            for one in products:
                self.asked += 1
                yield one

        for number, answer in enumerate(self.by.answers(counted()), start=1):
            if self.breaks(number):
                raise UnavailableError("nobody is there")
            yield answer


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos(tmp_path_factory.mktemp("shop") / "photos")


def job_of(folder: Path, images: Path, by: Categorizes, *, items: Path, out: str = "results.csv") -> Job:
    columns = choose_columns(items, title=None, usual_titles=by.title_columns, attributes=by.attributes)
    return Job(items=items, columns=columns, images=images, out=folder / out, by=by, part_rows=PART_ROWS)


def test_every_row_has_its_answer_in_its_place(tmp_path: Path, images: Path, certified: Categorizer) -> None:
    items = table(tmp_path / "items.csv", rows(MANY))
    seen: list[tuple[int, int]] = []
    job = job_of(tmp_path, images, Here(certified), items=items)
    account = run(job, lambda done, count: seen.append((done, count)))
    found = results(job.out)
    assert [one["id"] for one in found] == [f"item-{number}" for number in range(MANY)]
    assert [one["label_kind"] for one in found] == [kind_of(number) for number in range(MANY)]
    assert (account.rows, account.found_done, account.statuses) == (MANY, 0, {"answered": MANY})
    assert seen[0] == (0, MANY)
    assert seen[-1] == (MANY, MANY)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.csv", "results.csv"]


def test_a_row_says_what_the_answer_to_it_alone_would(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    lines = [
        {"id": "a", "path": "tees.png|tees.png", "title": "", "season": "monsoon"},
        {"id": "b", "path": "", "title": "", "season": "summer"},
    ]
    job = job_of(tmp_path, images, Here(certified), items=table(tmp_path / "items.csv", lines))
    run(job)
    first, second = results(job.out)
    assert list(first) == list(column_types(LEVELS))
    assert (first["status"], first["depth"], first["certified"]) == ("answered", "3", "True")
    assert first["best_path"] == "clothing > tops > tees"
    assert first["not_understood"] == "season = monsoon"
    assert float(first["probability_department"]) >= float(first["probability_kind"]) > 0.9
    # answered to the first level alone: the likeliest path is told, and not as an answer
    assert [second[f"label_{level}"] for level in LEVELS] == ["footwear", "", ""]
    assert second["best_path"] == "footwear > shoes > sandals"
    assert (second["modalities"], second["error"]) == ("attributes", "")


def test_what_is_wrong_with_a_row_is_kept_with_it(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    (images / "torn.png").write_bytes((images / "tees.png").read_bytes()[:500])
    good = {"id": "good", "path": "tees.png", "title": ""}
    faults = {
        "absent": ({"path": "none.png"}, "none.png: cannot be read: No such file"),
        "torn": ({"path": "tees.png|torn.png"}, "photo 2"),
        "empty": ({"path": ""}, "expected a photo, or any of text, attributes that can be read, found none"),
        "unseen": ({"path": "", "title": "\u200b "}, "that can be read, found none"),
        "above": (
            {"path": "../photos/tees.png"},
            "expected one below the folder of images, found '../photos",
        ),
        "rooted": ({"path": "/etc/passwd"}, "expected one below the folder of images, found '/etc/passwd'"),
        "long": ({"title": "x" * 200_000}, "title: expected at most 10000 characters, found 200000"),
        "folder": ({"path": "."}, "cannot be read: Is a directory"),
        "good": ({}, "id: expected each once, found 'good' in row 1 already"),
        "": ({}, "id: expected one, found none"),
    }
    lines = [good, *({**good, "id": name, **changed} for name, (changed, _) in faults.items())]
    lines.append({**good, "id": "last"})
    job = job_of(tmp_path, images, Here(certified), items=table(tmp_path / "items.csv", lines))
    account = run(job)
    first, *wrong, last = results(job.out)
    assert first["label_kind"] == last["label_kind"] == "tees"
    assert [one["id"] for one in wrong] == list(faults)
    for one, (_, said) in zip(wrong, faults.values(), strict=True):
        assert one["status"] == "fault"
        assert said in one["error"]
        assert one["label_kind"] == one["best_path"] == ""
    assert account.statuses == {"answered": 2, "fault": len(faults)}


def test_parquet_holds_what_csv_holds_with_types(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    lines = [*rows(20), {"id": "absent", "path": "none.png", "title": ""}]
    items = table(tmp_path / "items.csv", lines)
    for out in ("results.csv", "results.parquet"):
        run(job_of(tmp_path, images, Here(certified), items=items, out=out))
    typed = pyarrow.parquet.read_table(tmp_path / "results.parquet")
    assert str(typed.schema.field("probability_kind").type) == "double"
    assert str(typed.schema.field("certified").type) == "bool"
    plain = results(tmp_path / "results.csv")
    for one, other in zip(typed.to_pylist(), plain, strict=True):
        assert {name: "" if value is None else str(value) for name, value in one.items()} == other


def test_a_table_without_rows_gives_results_without_rows(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    items = tmp_path / "items.csv"
    items.write_text("id,path\n")
    for out in ("results.csv", "results.parquet"):
        assert run(job_of(tmp_path, images, Here(certified), items=items, out=out)).rows == 0
    assert results(tmp_path / "results.csv") == []
    assert pyarrow.parquet.read_table(tmp_path / "results.parquet").num_rows == 0


def test_what_was_done_before_a_failure_is_not_done_again(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    items = table(tmp_path / "items.csv", rows(MANY))
    failing = Counting(Here(certified), breaks=lambda answered: answered > PART_ROWS + 10)
    with pytest.raises(UnavailableError):
        run(job_of(tmp_path, images, failing, items=items))
    job = job_of(tmp_path, images, going_on := Counting(Here(certified)), items=items)
    assert not job.out.exists()
    account = run(job)
    assert account.found_done == PART_ROWS
    assert going_on.asked == MANY - PART_ROWS
    assert [one["id"] for one in results(job.out)] == [f"item-{number}" for number in range(MANY)]
    assert not job.folder.exists()


@pytest.fixture
def begun(tmp_path: Path, images: Path, certified: Categorizer) -> Job:
    """A job that was cut short in its second part."""
    items = table(tmp_path / "items.csv", rows(MANY))
    failing = Counting(Here(certified), breaks=lambda answered: answered > PART_ROWS + 10)
    job = job_of(tmp_path, images, failing, items=items)
    with pytest.raises(UnavailableError):
        run(job)
    return replace(job, by=Here(certified))


def test_another_table_is_refused_where_one_was_begun(begun: Job) -> None:
    table(begun.items, rows(MANY - 1))
    with pytest.raises(SettingsError, match="found another: items differ; remove the folder to begin anew"):
        run(begun)


def test_another_model_folder_or_column_is_refused_where_a_job_was_begun(
    begun: Job, uncertified: Categorizer, tmp_path: Path
) -> None:
    for other, said in (
        (replace(begun, by=Here(uncertified)), "model"),
        (replace(begun, images=tmp_path), "images"),
        (replace(begun, columns=replace(begun.columns, title=None)), "columns"),
    ):
        with pytest.raises(SettingsError, match=f"found another: {said} differ"):
            run(other)
    assert run(begun).rows == MANY


def test_a_table_that_is_changed_meanwhile_gives_no_results(begun: Job) -> None:
    def change(done: int, count: int) -> None:
        if done == count:
            table(begun.items, rows(MANY - 1))

    with pytest.raises(SettingsError, match="found another: items differ"):
        run(begun, change)
    assert not begun.out.exists()


def test_a_note_that_is_damaged_is_refused(begun: Job) -> None:
    (begun.folder / "job.json").write_text("{")
    with pytest.raises(SettingsError, match="expected what a job was begun with"):
        run(begun)


def test_somebody_elses_folder_is_left_alone(tmp_path: Path, images: Path, certified: Categorizer) -> None:
    job = job_of(tmp_path, images, Here(certified), items=table(tmp_path / "items.csv", rows(3)))
    job.folder.mkdir()
    (job.folder / "diary.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"expected no folder or a job's, found one with 'diary\.txt'"):
        run(job)
    assert (job.folder / "diary.txt").exists()


def test_a_kill_while_the_job_was_being_noted_needs_no_hand(
    tmp_path: Path, images: Path, certified: Categorizer
) -> None:
    job = job_of(tmp_path, images, Here(certified), items=table(tmp_path / "items.csv", rows(3)))
    job.folder.mkdir()
    for name in ("lock", ".job.json-abcd1234"):
        (job.folder / name).touch()
    assert run(job).rows == 3
    assert not job.folder.exists()


@pytest.mark.parametrize("step", range(4))  # before each of three parts, and before the note
def test_a_kill_at_any_step_of_tidying_up_needs_no_hand(
    begun: Job, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    (begun.folder / ".part-000009.jsonl-abcd1234").touch()  # of an earlier kill
    removed: list[Path] = []
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "job.json" or path.name.startswith("part-"):
            if len(removed) == step:
                raise KeyboardInterrupt
            removed.append(path)
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            run(begun)
    assert len(results(begun.out)) == MANY
    assert run(begun).rows == MANY
    assert not begun.folder.exists()


def test_two_at_work_on_the_same_results_are_refused(begun: Job) -> None:
    with held(begun.folder / "lock"), pytest.raises(StorageError, match="another process is at work here"):
        run(begun)
    assert run(begun).rows == MANY


def test_earlier_results_stay_until_the_new_ones_are_complete(begun: Job) -> None:
    begun.out.write_text("earlier")
    with pytest.raises(SettingsError):
        run(replace(begun, columns=replace(begun.columns, title=None)))
    assert begun.out.read_text() == "earlier"
    run(begun)
    assert len(results(begun.out)) == MANY


def test_results_of_another_form_are_refused_before_any_work() -> None:
    with pytest.raises(SettingsError, match=r"ends in \.csv or \.parquet, found 'results\.xlsx'"):
        check_target(Path("results.xlsx"))
    check_target(Path("results.parquet"))
