"""pyarrow, an optional part, loaded when a Parquet file is met."""

from typing import Any, Final

from vision.errors import MissingExtraError

SUFFIX: Final = ".parquet"
_EXTRA: Final = "parquet"


def load_pyarrow() -> Any:
    """The module `pyarrow` with its `parquet`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  (an optional part)
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(_EXTRA, "pyarrow") from error
    return pyarrow
