"""What several test modules share because it takes seconds to make."""

from pathlib import Path

import pytest

from training.export import Exported


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; not to be changed."""
    from tests.training.runs import finished_run

    folder = tmp_path_factory.mktemp("finished") / "run"
    finished_run(folder)
    return folder


@pytest.fixture(scope="session")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """That run's bundle, int8 included; not to be changed."""
    from training.export import export

    return export(
        finished, tmp_path_factory.mktemp("exported") / "bundle", int8=True, name="plates", version="2.1"
    )
