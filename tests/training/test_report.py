"""The report: the figures in it, nothing from outside, and a page whatever the data are like."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from markupsafe import escape
from typing_extensions import override

from tests.pictures import encoded
from training import wording
from training.certify import Calibration, certify, cheapest
from training.evaluate import Evaluation, Judged, evaluate, judged
from training.manifest import Item
from training.mistakes import MOST, Mistakes, exhibits, mistakes, worst
from training.plots import cost_of, expected_cost, histogram
from training.report import standing, write_report
from training.score import Scored
from training.statistics import rate
from vision.errors import StorageError
from vision.image import Pixels, read_header
from vision.inspection.certificate import Certificate
from vision.inspection.drift import DriftReference
from vision.inspection.policy import Costs, Decision, Policy, Reason, Verdict, decide
from vision.inspection.prediction import Prediction, defect_probability
from vision.inspection.quality import measure
from vision.preprocess import PreprocessSpec

LABELS = ("crack", "dent", "good")
SPEC = PreprocessSpec(size_wh=(64, 64))
POLICY = Policy(accept_at=0.05, reject_at=0.9)
CERTIFICATE = Certificate(
    model_file="model.onnx",
    model_sha256="ab" * 32,
    preprocess_sha256=SPEC.digest(),
    temperature=1.3,
    accept_at=0.05,
    max_escape=0.05,
    confidence=0.95,
    binding="parts exchangeable",
    bounds=certify(
        Calibration(
            probability=np.repeat([0.01, 0.99], 100),
            defective=np.repeat([False, True], 100),
            groups=tuple(str(n) for n in range(200)),
        ),
        Costs(),
        max_escape=0.05,
        confidence=0.95,
    ).bounds,
    calibration_digest="cd" * 32,
    calibration_parts=200,
    issued_on="2026-01-31",
    drift=DriftReference(edges=(1.0,), counts=(1, 1)),
)


def picture(number: int, label: str) -> Pixels:
    """A grey plate with grain; a crack is a dark line across it, a dent a bright spot."""
    rng = np.random.default_rng(number)
    plate = 128 + rng.normal(0, 9, (80, 100, 1)) + np.linspace(-20, 20, 100)[None, :, None]
    y, x = int(rng.integers(20, 60)), int(rng.integers(20, 80))
    if label == "crack":
        plate[y : y + 3, 10:90] -= 70
    elif label != "good":
        plate[y - 8 : y + 8, x - 8 : x + 8] += 60
    return np.broadcast_to(plate, (80, 100, 3)).clip(0, 255).astype(np.uint8)


def parts(folder: Path, labels: list[str], *, known: tuple[str, ...] = LABELS, seed: int = 0) -> Scored:
    """Pictures of these labels on disk, with what a fair but fallible model says of them."""
    rng = np.random.default_rng(seed)
    items, predictions, qualities, digests = [], [], [], []
    for number, label in enumerate(labels):
        pixels = picture(number, label)
        data = encoded(pixels, "PNG")
        path = folder / f"part-{number:03}.png"
        path.write_bytes(data)
        columns = {"camera": f"camera {min(number % 7, 2)}", "line": "west" if number % 9 == 0 else "east"}
        items.append(
            Item(path=path, label=label, split="test", group=f"batch {number // 4}", columns=columns)
        )
        logits = rng.normal(0, 2, len(known)).astype(np.float32)
        logits[known.index(label)] += 4
        cam = rng.normal(0, 1, (len(known), 4, 4)).astype(np.float32)
        embedding = rng.normal(0, 1, 8).astype(np.float32)
        predictions.append(Prediction(logits=logits, embedding=embedding, cam=cam))
        qualities.append(measure(pixels))
        digests.append(hashlib.sha256(data).hexdigest())
    return Scored(
        items=tuple(items),
        predictions=tuple(predictions),
        qualities=tuple(qualities),
        digests=tuple(digests),
    )


def verdicts(scored: Scored, policy: Policy, *, labels: tuple[str, ...] = LABELS) -> tuple[Verdict, ...]:
    """What the policy makes of each, every eleventh being novel and every seventeenth blurred."""
    given = []
    for number, probability in enumerate(defect_probability(scored.logits, 1.3, labels.index("good"))):
        decision, reason, detail = decide(
            policy,
            float(probability),
            novelty=1.4 if number % 11 == 5 else 0.3,
            quality_fault="blurred: sharpness 3, limit 9" if number % 17 == 8 else None,
        )
        given.append(Verdict(decision=decision, reason=reason, detail=detail, probability=float(probability)))
    return tuple(given)


def inspected(folder: Path, labels: list[str]) -> Judged:
    """Pictures with verdicts by `POLICY`."""
    scored = parts(folder, labels)
    return judged(scored, LABELS, "good", temperature=1.3, verdicts=verdicts(scored, POLICY))


def written(
    path: Path,
    one: Judged,
    *,
    title: str = "Plates on the test split",
    evaluation: Evaluation | None = None,
    policy: Policy | None = POLICY,
    certificate: Certificate | None = CERTIFICATE,
    notice: str | None = None,
) -> str:
    """The report's text."""
    write_report(
        path,
        title=title,
        evaluation=evaluation or evaluate(one),
        judged=one,
        policy=policy,
        certificate=certificate,
        temperature=1.3,
        preprocess=SPEC,
        notice=notice,
    )
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return inspected(tmp_path_factory.mktemp("plates"), ["good"] * 50 + ["crack"] * 22 + ["dent"] * 6)


@pytest.fixture(scope="module")
def figures(plates: Judged) -> Evaluation:
    return evaluate(plates)


@pytest.fixture(scope="module")
def page(plates: Judged, figures: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report") / "report.html", plates, evaluation=figures)


class Reader(HTMLParser):
    """Tags that stay open, ids, and what elements point at."""

    VOID: ClassVar = {"meta", "img", "path", "use", "br", "link"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.points_at: list[str] = []
        self.tags: Counter[str] = Counter()
        self.feed(html)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.points_at += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def words(html: str) -> str:
    """What a reader sees: the text between the tags, style left out."""
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_the_page_holds_the_figures(figures: Evaluation, page: str) -> None:
    text = words(page)
    assert figures.auroc is not None
    assert figures.auroc_interval is not None
    assert figures.policy is not None
    assert (
        "78 pictures: 50 of good parts (“good”) and 28 of defective ones (22 “crack” and 6 “dent”)." in text
    )
    assert f"Accuracy {wording.percent(figures.accuracy.value)} {wording.interval(figures.accuracy)}" in text
    assert f"{figures.accuracy.count} of 78 pictures got the right label" in text
    assert f"Balanced accuracy {wording.percent(figures.balanced_accuracy)} over 3 labels" in text
    low, high = figures.auroc_interval
    assert f"AUROC {figures.auroc:.3f} {low:.3f} to {high:.3f}" in text
    assert f"Calibration error {figures.ece:.3f}" in text
    assert (
        f"Escapes {wording.percent(figures.policy.escape.value)} {wording.interval(figures.policy.escape)}"
        in text
    )
    assert f"{figures.policy.review.count} of 78 parts were sent to a person" in text
    for label, of_label in figures.per_class.items():
        assert re.search(
            rf"{label} (good parts )?{of_label.recall.n} {wording.percent(of_label.recall.value)}", text
        )
    assert "camera 2" in text


def test_the_certificate_is_said_in_its_own_words(page: str) -> None:
    assert f"A{CERTIFICATE.line()[1:]}." in words(page)
    assert "parts exchangeable binding 100 0 2.95% 59 holds" in words(page)


def test_both_thresholds_are_drawn_and_named(page: str) -> None:
    assert "accepted up to 0.050" in page
    assert "rejected from 0.900" in page


def test_every_reason_that_was_given_is_counted(plates: Judged, page: str) -> None:
    novel = sum(verdict.reason is Reason.NOVEL for verdict in plates.verdicts or ())
    assert f"review the part is unlike all parts seen in training {novel} " in words(page)


def test_figures_from_few_pictures_are_marked(page: str) -> None:
    dent = page[page.index("<td>dent</td>") :]
    assert '<span class="mark" title="fewer than 20 of them">few</span>' in dent[: dent.index("</tr>")]
    good = page[page.index("<td>good ") :]
    assert "few" not in good[: good.index("</tr>")]


def test_nothing_comes_from_outside(page: str) -> None:
    found = Reader(page)
    assert "http:" not in page
    assert "https:" not in page
    assert found.tags["script"] == found.tags["link"] == found.tags["iframe"] == 0
    assert "@import" not in page
    assert all(target.startswith(("data:image/jpeg;base64,", "#")) for target in found.points_at)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", page))


def test_the_page_is_well_formed_and_its_ids_are_its_own(page: str) -> None:
    found = Reader(page)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    inside = {target[1:] for target in found.points_at if target.startswith("#")}
    assert inside | set(re.findall(r"url\(#([^)]*)", page)) <= set(found.ids)


def test_figures_take_their_colours_from_the_page(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    figures = "".join(re.findall(r'<svg class="plot".*?</svg>', page, flags=re.DOTALL))
    assert figures.count("<svg") == 5
    assert re.findall(r"(?:fill|stroke): #\w+", figures) == []
    assert "font-family" not in figures


def test_the_same_input_gives_the_same_bytes_whatever_matplotlib_is_set_to(
    plates: Judged, figures: Evaluation, page: str, tmp_path: Path
) -> None:
    with matplotlib.rc_context({"axes.facecolor": "#ff00ff", "font.size": 30, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        again = written(tmp_path / "again.html", plates, evaluation=figures)
        assert dict(matplotlib.rcParams) == before
    assert again == page


def test_the_worst_mistakes_are_shown_twice_each(plates: Judged, page: str) -> None:
    found = mistakes(plates)
    shown = sum(len(rows) for rows in worst(found))
    assert shown > 3
    assert Reader(page).tags["img"] == 2 * shown
    order = [page.index(plates.scored.items[row].path.name) for row in np.concatenate(worst(found))]
    assert order == sorted(order)


def test_what_strangers_named_stays_text(tmp_path: Path) -> None:
    evil = '<img src=x onerror="alert(1)">'
    labels = ("</style><script>", "good")
    scored = parts(tmp_path, ["good"] * 6 + [labels[0]] * 6, known=labels)
    renamed = tmp_path / f"{evil.replace('/', '')}.png"
    scored.items[0].path.rename(renamed)
    first = replace(scored.items[0], path=renamed, columns={"camera": evil, "line": "west"})
    sure = replace(scored.predictions[0], logits=np.array([9, -9], np.float32))
    scored = replace(scored, items=(first, *scored.items[1:]), predictions=(sure, *scored.predictions[1:]))
    novel = Verdict(decision=Decision.REVIEW, reason=Reason.NOVEL, detail=evil, probability=1.0)
    given = (novel, *verdicts(scored, POLICY, labels=labels)[1:])
    one = judged(scored, labels, "good", verdicts=given)
    html = written(tmp_path / "report.html", one, title=evil, notice=evil, policy=Policy(), certificate=None)
    assert evil not in html
    assert (
        html.count(str(escape(evil))) >= 6
    )  # twice as the title and as the notice, then the file, the column, the detail
    assert html.count("</style>") == 1
    assert "<script" not in html
    assert Reader(html).open == []


def test_a_notice_stands_at_the_top_and_at_the_bottom(
    plates: Judged, figures: Evaluation, tmp_path: Path
) -> None:
    notice = "Pictures: CC BY-NC-SA 4.0, A. Author."
    text = words(written(tmp_path / "report.html", plates, evaluation=figures, notice=notice))
    assert text.count("CC BY-NC-SA 4.0") == 2
    assert text.index("CC BY-NC-SA") < text.index("Accuracy")
    assert text.endswith("Pictures: CC BY-NC-SA 4.0, A. Author.")


def test_a_run_without_a_policy_is_reported_as_what_it_is(
    plates: Judged, figures: Evaluation, tmp_path: Path
) -> None:
    bare = replace(plates, verdicts=None)
    model = replace(figures, policy=None)
    html = written(tmp_path / "report.html", bare, evaluation=model, policy=None, certificate=None)
    text = words(html)
    assert "No certificate, and nothing is accepted" in text
    assert "There is no policy: nothing was accepted, rejected or sent to review." in text
    assert "Escapes" not in text
    assert "accepted up to" not in html
    assert html.count('<svg class="plot"') == 4  # no expected cost without costs


@pytest.mark.parametrize(
    ("policy", "certificate", "tone", "said"),
    [
        (POLICY, CERTIFICATE, "held", "At most 5% of defective parts are accepted"),
        (Policy(reject_at=0.9), None, "plain", "each one is rejected or sent to review."),
        (Policy(), None, "plain", "each one is sent to review."),
        (None, None, "plain", "no escape rate is promised"),
        # somebody set a threshold by hand
        (
            Policy(accept_at=0.0004),
            None,
            "warning",
            "a probability of defect of 0.00040, but nothing is promised",
        ),
    ],
)
def test_what_is_promised_is_said_first(
    policy: Policy | None, certificate: Certificate | None, tone: str, said: str
) -> None:
    found = standing(policy, certificate)
    assert found.tone == tone
    assert said in found.sentence


def test_escapes_beyond_the_certificate_are_not_passed_over(
    plates: Judged, figures: Evaluation, tmp_path: Path
) -> None:
    assert figures.policy is not None
    worse = replace(figures, policy=replace(figures.policy, escape=rate(8, 33)))
    text = words(written(tmp_path / "report.html", plates, evaluation=worse))
    assert "8 of 33 defective parts were accepted here, at least 11.1% with 95% confidence." in text
    assert "The certificate promises at most 5.00%." in text


@pytest.mark.parametrize("labels", [["good"] * 12, ["crack"] * 12], ids=["good only", "defective only"])
def test_parts_of_one_kind_have_no_auroc_and_no_curves(labels: list[str], tmp_path: Path) -> None:
    html = written(tmp_path / "report.html", inspected(tmp_path, labels))
    assert "AUROC – not defined" in words(html)
    assert "All pictures are of one kind, so there is no ROC curve" in words(html)
    assert re.search(
        "12 of good parts .“good”. and 0 of|0 of good parts .“good”. and 12 of defective ones .“crack”.", html
    )
    assert html.count('<svg class="plot"') == 2
    assert Reader(html).open == []


def test_of_hundreds_of_labels_the_commonest_confusions_are_listed(tmp_path: Path) -> None:
    known = ("good", *(f"defect {number:03}" for number in range(150)))
    labels = ["good"] * 4 + ["defect 007"] * 4 + list(known[1:31])
    one = judged(parts(tmp_path, labels, known=known), known, "good")
    text = words(written(tmp_path / "report.html", one, policy=None, certificate=None))
    assert "A matrix of 151 labels cannot be read; these are the 20 commonest of" in text
    assert "5 “defect 007”" in text
    assert "and 23 more" in text
    assert re.search(
        r"Of 4 good pictures, \d+ got the label of a defect. Of 34 defective ones, \d+ got the right", text
    )


def test_a_picture_that_vanished_changed_or_broke_is_said_to_have(
    plates: Judged, figures: Evaluation, tmp_path: Path
) -> None:
    rows = [int(row) for row in np.concatenate(worst(mistakes(plates)))[:3]]
    gone, broken, other = tmp_path / "gone.png", tmp_path / "broken.png", tmp_path / "other.png"
    broken.write_bytes(b"no picture")
    other.write_bytes(encoded(picture(99, "good"), "PNG"))
    items = list(plates.scored.items)
    for row, path in zip(rows, (gone, broken, other), strict=True):
        items[row] = replace(items[row], path=path)
    one = replace(plates, scored=replace(plates.scored, items=tuple(items)))
    html = written(tmp_path / "report.html", one, evaluation=figures)
    for said in ("is no longer there", "can no longer be read", "has changed since it was scored"):
        assert html.count(f"the file {said}") == 1
    shown = sum(len(found) for found in worst(mistakes(one)))
    assert Reader(html).tags["img"] == 2 * (shown - 2)


def test_a_file_name_that_is_not_utf8_is_written_all_the_same(tmp_path: Path) -> None:
    one = inspected(tmp_path, ["good"] * 8 + ["crack"] * 8 + ["dent"])
    sure = replace(one.scored.predictions[0], logits=np.array([9, 0, -9], np.float32))
    odd = replace(one.scored.items[0], path=Path("caf\udce9.png"))
    scored = replace(
        one.scored, items=(odd, *one.scored.items[1:]), predictions=(sure, *one.scored.predictions[1:])
    )
    html = written(tmp_path / "report.html", judged(scored, LABELS, "good"), policy=None, certificate=None)
    assert "caf\\udce9.png" in html


def test_a_report_that_cannot_be_written_leaves_nothing_behind(
    plates: Judged, figures: Evaluation, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        written(tmp_path / "file" / "report.html", plates, evaluation=figures)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def with_probabilities(one: Judged, probabilities: list[float], decisions: str) -> Judged:
    """Probabilities of defect set by hand, and decisions by their first letters: (a)ccept, (r)eject, re(v)iew."""
    by_letter = {"a": Decision.ACCEPT, "r": Decision.REJECT, "v": Decision.REVIEW}
    defect = np.array(probabilities)
    return replace(
        one,
        probabilities=np.stack([defect, np.zeros_like(defect), 1 - defect], axis=1),
        verdicts=tuple(
            Verdict(decision=by_letter[letter], reason=Reason.CONFIDENT, detail="") for letter in decisions
        ),
    )


def test_a_mistake_is_one_of_the_model_or_of_the_policy(tmp_path: Path) -> None:
    six = judged(parts(tmp_path, ["crack"] * 3 + ["good"] * 3), LABELS, "good")
    #                             called good, accepted, right; called defective, rejected, right
    one = with_probabilities(six, [0.1, 0.6, 0.9, 0.7, 0.4, 0.2], "varvrv")
    found = mistakes(one)
    assert found.missed.tolist() == [0, 1]
    assert found.alarms.tolist() == [3, 4]
    assert mistakes(replace(one, verdicts=None)).missed.tolist() == [0]


def test_the_most_confidently_wrong_come_first(plates: Judged) -> None:
    found = mistakes(plates)
    assert (np.diff(plates.defect_probability[found.missed]) >= 0).all()
    assert (np.diff(plates.defect_probability[found.alarms]) <= 0).all()


@pytest.mark.parametrize(
    ("missed", "alarms", "shown"),
    [
        (0, 0, (0, 0)),
        (3, 2, (3, 2)),
        (3, 100, (3, 21)),
        (100, 3, (21, 3)),
        (100, 100, (16, 8)),  # many misses leave some room for false alarms
        (100, 0, (24, 0)),
    ],
)
def test_at_most_so_many_mistakes_are_shown(missed: int, alarms: int, shown: tuple[int, int]) -> None:
    chosen = worst(Mistakes(missed=np.arange(missed), alarms=np.arange(alarms)))
    assert tuple(len(rows) for rows in chosen) == shown
    assert sum(shown) <= MOST


def test_pictures_are_shown_no_larger_than_the_page_can(plates: Judged) -> None:
    large = SPEC.resized((640, 480))
    (shown,) = exhibits(plates, [0], large)
    assert shown.picture is not None
    data = base64.b64decode(shown.picture.removeprefix("data:image/jpeg;base64,"))
    assert read_header(data).size_wh == (384, 288)


def test_the_expected_cost_is_the_one_that_thresholds_are_chosen_by(plates: Judged) -> None:
    costs = Costs(escape=50)
    calibration = Calibration(
        probability=plates.defect_probability, defective=plates.defective, groups=tuple("x" * 78)
    )
    policy, rates = cheapest(calibration, costs, allowed=600)
    assert policy.accept_at is not None
    assert cost_of(plates, costs, policy.accept_at, policy.reject_at) == pytest.approx(costs.expected(rates))
    nothing, _ = cheapest(calibration, costs, allowed=0)
    assert cost_of(plates, costs, None, nothing.reject_at) >= costs.expected(rates)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(accept_at=0, reject_at=1),
        Policy(accept_at=0.4999, reject_at=0.5),  # nearer to each other than a bar is wide
        Policy(reject_at=6e-6),  # nothing is left to accept below it
        Policy(accept_at=0.3, costs=Costs(escape=0, false_reject=0, review=0)),
    ],
    ids=str,
)
def test_thresholds_and_probabilities_may_lie_at_the_very_ends(plates: Judged, policy: Policy) -> None:
    one = with_probabilities(plates, [0.0, 0.5, 1.0] * 26, "v" * 78)
    assert "</svg>" in histogram(one, policy)
    assert "</svg>" in (expected_cost(one, policy) or "")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.0, "0.0%"), (0.0004, "< 0.1%"), (0.5, "50.0%"), (0.9996, "> 99.9%"), (1.0, "100.0%")],
)
def test_a_share_is_never_rounded_to_a_certainty(value: float | None, said: str) -> None:
    assert wording.percent(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (1e-9, "< 0.000001"),
        (0.00042, "0.00042"),
        (0.0312, "0.031"),
        (0.5, "0.500"),
        (0.99986, "0.99986"),
        (1 - 1e-9, "> 0.999999"),
        (1.0, "1"),
    ],
)
def test_a_probability_keeps_the_digits_that_tell_it_from_certainty(value: float, said: str) -> None:
    assert wording.probability(value) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdefghij"), "a, b, c, d, e, f, g and 3 more"),
    ],
)
def test_lists_are_read_as_sentences(words: list[str], said: str) -> None:
    assert wording.listed(words) == said
