"""`loupe` as a user meets it: help, versions, mistakes, and what to install when something is missing."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vision.commands.conftest import Loupe
from vision.commands.main import GROUP

CORE = ("inspect", "qualify", "bundle show", "bundle verify", "bundle sign", "bundle keygen")


def without(folder: Path, *modules: str) -> dict[str, str]:
    """An environment in which these modules cannot be imported, as where they are not installed."""
    (folder / "sitecustomize.py").write_text(
        f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {set(modules)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
    )
    return {"PYTHONPATH": str(folder)}


def test_help_lists_every_command(installed_loupe: Loupe) -> None:
    said = installed_loupe("--help")
    assert said.code == 0
    for entry in importlib.metadata.entry_points(group=GROUP):
        assert entry.name.split(".")[0] in said.out
    assert "Judge pictures: accept, reject or review" in said.out


@pytest.mark.parametrize("arguments", [(), ("bundle",)], ids=["loupe", "loupe bundle"])
def test_without_a_command_help_is_shown_and_nothing_was_done(
    arguments: tuple[str, ...], loupe: Loupe
) -> None:
    said = loupe(*arguments)
    assert said.code == 2
    assert "Usage: loupe" in said.out + said.err


def test_the_version_is_the_installed_one(installed_loupe: Loupe) -> None:
    said = installed_loupe("--version")
    assert (said.code, said.out) == (0, f"loupe {importlib.metadata.version('loupe')}\n")


@pytest.mark.parametrize("command", CORE)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(command: str, flag: str, loupe: Loupe) -> None:
    said = loupe(*command.split(), flag)
    assert said.code == 0
    assert f"Usage: loupe {command}" in said.out
    assert f"loupe {command} " in said.out.split("Example:")[1]
    assert "--json" in said.out


def test_every_command_in_the_tree_says_what_it_does(loupe: Loupe) -> None:
    for group in ([], ["bundle"], ["data"], ["edge"]):
        listed = loupe(*group, "--help").out.split("Commands")[1]
        rows = [line.strip("│ ") for line in listed.splitlines() if line.startswith("│")]
        assert rows
        assert all(len(row.split(maxsplit=1)) == 2 for row in rows), rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("bundle", "nonsense"), "No such command 'nonsense'"),
        (("--nonsense",), "No such option: --nonsense"),
        (("inspect",), "Missing argument"),
        (("inspect", "plates.loupe", "part.png", "--threads", "0"), "Invalid value for '--threads'"),
        (("qualify", "plates.loupe", "--runs", "many"), "Invalid value for '--runs'"),
    ],
)
def test_wrong_usage_ends_with_2_and_is_said_on_stderr(
    arguments: tuple[str, ...], message: str, loupe: Loupe
) -> None:
    said = loupe(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert message in said.err


def test_an_unknown_command_ends_the_installed_script_with_2(installed_loupe: Loupe) -> None:
    said = installed_loupe("nonsense")
    assert (said.code, said.out) == (2, "")
    assert "No such command 'nonsense'" in said.err


def test_an_error_is_said_on_stderr_and_with_json_as_an_object_on_stdout(
    installed_loupe: Loupe, tmp_path: Path
) -> None:
    message = f"{tmp_path}/absent: expected a bundle folder or .loupe file, found nothing"
    plain = installed_loupe("bundle", "show", tmp_path / "absent")
    assert (plain.code, plain.out, plain.err) == (2, "", f"error: {message}\n")
    with_json = installed_loupe("bundle", "show", tmp_path / "absent", "--json")
    assert (with_json.code, with_json.err) == (2, plain.err)
    assert with_json.json == {"error": {"type": "BundleError", "message": message}}


def test_brackets_in_a_message_are_no_markup(loupe: Loupe, tmp_path: Path) -> None:
    said = loupe("bundle", "show", tmp_path / "[/red][bold]")
    assert said.code == 2
    assert f"{tmp_path}/[/red][bold]: expected" in said.err


def test_help_needs_nothing_but_what_help_is_made_of(installed_loupe: Loupe, tmp_path: Path) -> None:
    env = without(tmp_path, "torch", "onnxruntime", "cv2", "numpy", "cryptography")
    said = installed_loupe("--help", **env)
    assert said.code == 0, said.err
    assert "Measure which precision and how many threads are fastest here" in said.out


@pytest.mark.parametrize("command", ["train", "export"])
def test_a_command_whose_extra_is_missing_says_what_to_install(
    command: str, installed_loupe: Loupe, tmp_path: Path
) -> None:
    said = installed_loupe(command, "--json", **without(tmp_path, "torch"))
    assert said.code == 1
    assert "this needs 'torch', which is not installed; run: pip install 'loupe[training]'" in said.err
    assert said.json["error"]["type"] == "MissingExtraError"


def test_a_broken_core_is_not_taken_for_a_missing_extra(installed_loupe: Loupe, tmp_path: Path) -> None:
    said = installed_loupe("bundle", "show", "plates", **without(tmp_path, "cv2"))
    assert said.code == 1
    assert "No module named 'cv2'" in said.err
    assert "pip install" not in said.err


def test_putting_the_tree_together_imports_no_model_runtime() -> None:
    code = """
import json, sys
from vision.commands.main import build
build(["--help"])
print(json.dumps([name for name in ("torch", "onnxruntime", "cv2", "training.fit") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_inspecting_imports_no_torch(tmp_path: Path, installed_loupe: Loupe) -> None:
    from tests.bundles import make_bundle, part
    from vision.image import encode_png

    bundle = make_bundle(tmp_path / "plates.loupe")
    (tmp_path / "part.png").write_bytes(encode_png(part()))
    env = without(tmp_path, "torch", "torchvision", "onnx", "scipy", "sklearn")
    said = installed_loupe("inspect", bundle.path, tmp_path / "part.png", "--json", **env)
    assert said.code == 0, said.err
    assert said.json["counts"] == {"accept": 1, "reject": 0, "review": 0}
