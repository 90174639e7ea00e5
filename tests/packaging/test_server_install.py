"""The built wheel with the server extra alone: it serves, and torch is not there."""

import json
import subprocess

import pytest

from tests.bundles import make_bundle, part
from tests.packaging.installed import installed
from vision.image import encode_png

pytestmark = [pytest.mark.packaging, pytest.mark.slow]

ASK = (
    "import sys, pathlib, importlib.util; from vision.client import Client\n"
    "with Client(sys.argv[1]) as loupe:\n"
    "    print(loupe.inspect(pathlib.Path(sys.argv[2])).verdict.decision.value)\n"
    "assert importlib.util.find_spec('torch') is None\n"
)


def test_a_server_without_torch_judges_for_a_client(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("server")
    binaries = installed(folder, "server")
    make_bundle(folder / "models" / "plates.loupe")
    (folder / "good.png").write_bytes(encode_png(part()))
    serving = [
        str(binaries / "loupe"),
        "serve",
        "--models",
        "models",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "",
    ]
    with subprocess.Popen([*serving, "--json"], cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = json.loads(server.stdout.readline())["listen"]
        ask = [str(binaries / "python"), "-c", ASK, address, "good.png"]
        answered = subprocess.run(ask, cwd=folder, capture_output=True, text=True)
        server.terminate()

    assert answered.stdout.strip() == "accept", answered.stderr
    assert server.returncode == 0
