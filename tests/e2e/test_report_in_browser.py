"""The report as a browser shows it: it opens without a network, says its figures, and prints."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.training.test_report import CERTIFICATE, POLICY, SPEC, inspected
from training.evaluate import evaluate
from training.report import write_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="needs the Debian package chromium; make rig installs it"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    one = inspected(folder, ["good", "crack", "dent"] * 8)
    path = folder / "report.html"
    write_report(
        path,
        title="Plates of unseen batches",
        evaluation=evaluate(one),
        judged=one,
        policy=POLICY,
        certificate=CERTIFICATE,
        temperature=1.3,
        preprocess=SPEC,
    )
    return path


def chromium(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Headless, its own profile, every host name unknown."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    alone = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command = ["chromium", *alone, *quiet, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_a_browser_without_a_network_shows_the_figures(report: Path, tmp_path: Path) -> None:
    shown = chromium(tmp_path, "--dump-dom", report.as_uri()).stdout

    assert "Plates of unseen batches" in shown
    assert "AUROC" in shown
    assert shown.count("<svg") >= 4


def test_it_can_be_printed(report: Path, tmp_path: Path) -> None:
    chromium(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", report.as_uri())

    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
