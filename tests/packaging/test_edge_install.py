"""The built wheel with the edge extra alone, in a fresh environment: it judges parts, and torch is not there."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.bundles import make_bundle, part, spotted
from tests.packaging.installed import installed
from vision.image import encode_png

pytestmark = [pytest.mark.packaging, pytest.mark.slow]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("edge"), "edge")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "plates.loupe").path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "good.png").write_bytes(encode_png(part()))
    (folder / "red.png").write_bytes(encode_png(spotted()))
    return [folder / "good.png", folder / "red.png"]


def run(environment: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(environment / arguments[0]), *arguments[1:]], cwd=cwd, capture_output=True, text=True
    )


def test_a_part_is_inspected_from_the_command_line(
    environment: Path, bundle: Path, pictures: list[Path], tmp_path: Path
) -> None:
    done = run(
        environment, "loupe", "inspect", str(bundle), *map(str, pictures), "--explain", "--json", cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    decisions = [result["decision"] for result in json.loads(done.stdout)["results"]]
    assert decisions == ["accept", "reject"]


def test_torch_is_neither_loaded_nor_there_after_an_inspection(
    environment: Path, bundle: Path, pictures: list[Path], tmp_path: Path
) -> None:
    script = (
        "import sys, importlib.util; from pathlib import Path\n"
        "from vision.inspection.inspect import open_inspector; from vision.preprocess import prepare_file\n"
        f"one = open_inspector(Path({str(bundle)!r}))\n"
        f"one.inspect(prepare_file(Path({str(pictures[0])!r}), one.bundle.manifest.preprocess))\n"
        "assert 'torch' not in sys.modules and importlib.util.find_spec('torch') is None\n"
    )

    done = run(environment, "python", "-W", "error", "-c", script, cwd=tmp_path)

    assert done.returncode == 0, done.stderr


def test_the_operators_page_is_served_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    script = (
        "import urllib.request; from edge.view.server import ViewServer, listen; from vision.address import Address\n"
        "server = ViewServer(listen(Address.parse('127.0.0.1:0')), [], boot='boot')\n"
        "for path in ('', 'view.css', 'view.js', 'status.json', 'metrics', 'healthz'):\n"
        "    with urllib.request.urlopen(f'http://{server.address}/{path}', timeout=10) as page:\n"
        "        assert page.status == 200 and page.read(), path\n"
        "server.stop()\n"
    )

    done = run(environment, "python", "-W", "error", "-c", script, cwd=tmp_path)

    assert done.returncode == 0, done.stderr


def test_a_command_of_a_missing_extra_says_how_to_get_it(environment: Path, tmp_path: Path) -> None:
    done = run(environment, "loupe", "train", "--help", cwd=tmp_path)

    assert done.returncode == 1
    assert "pip install 'loupe[training]'" in done.stderr


def test_the_command_tree_is_listed_without_the_extras(environment: Path, tmp_path: Path) -> None:
    done = run(environment, "loupe", "--help", cwd=tmp_path)

    assert done.returncode == 0
    assert "Train a classifier" in done.stdout
