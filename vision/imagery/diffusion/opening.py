"""Opens a scene model by name: the one carried here, a local folder, or, where that is allowed, one of the hub.

This is the way in; it puts the parts together.
"""

import re
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from vision.errors import ImageryError
from vision.imagery.brief import STUDIO
from vision.imagery.diffusion import settings
from vision.imagery.diffusion.admission import Admitted, admit
from vision.imagery.diffusion.generator import DiffusionScenes
from vision.imagery.diffusion.pipelines import Machinery, dtype_on, load_pipeline

STUDIO_FOLDER: Final = Path(__file__).parent / "studio64"
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
_FETCHED: Final = ("*.json", "*.safetensors", "*.txt", "*.toml", "LICENSE*", "*.md")


def open_generator(
    name_or_folder: str | Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    offload: bool = False,
    threads: int = 1,
    allow_hub: bool = False,
) -> DiffusionScenes:
    """Open a scene model.

    Args:
        name_or_folder: `studio-64`; a folder, of which the settings may be all that is there; or `owner/model@COMMIT`, the commit's 40
            hexadecimal digits, of the hub. The latter needs a `loupe-model.toml` too, in its repository.
        device: `cpu`, `cuda` or `cuda:N`.
        dtype: `float32`, `float16` or `bfloat16`.
        offload: keep only the part that computes on the GPU.
        threads: of the processor; another number may give other pixels.
        allow_hub: download what is not there yet; without it nothing is.

    Raises:
        ImageryError: there is no such model, or it is not admitted (`admission.admit`), or its parts do not fit together.
        SettingsError: device or dtype is none that there is.
        DeviceError: there is no such device.
    """
    machinery = Machinery(device=device, dtype=dtype, offload=offload, threads=threads)
    folder = _folder(name_or_folder, allow_hub=allow_hub)
    admitted = _admitted(folder, allow_hub=allow_hub)
    name = STUDIO if folder == STUDIO_FOLDER else _name(name_or_folder)
    return DiffusionScenes(name, admitted, load_pipeline(admitted, machinery), machinery)


def check_machinery(device: str, dtype: str, *, offload: bool) -> None:
    """See that models can run so here, without opening one.

    Raises:
        SettingsError, DeviceError: as `open_generator`.
    """
    dtype_on(Machinery(device=device, dtype=dtype, offload=offload))


def _folder(name: str | Path, *, allow_hub: bool) -> Path:
    if name == STUDIO:
        return STUDIO_FOLDER
    if Path(name).is_dir():
        return Path(name)
    if not _HUB_ID.fullmatch(str(name)):
        raise ImageryError(
            f"{name}: expected {STUDIO}, a model's folder or owner/model@COMMIT of the hub, found none of these"
        )
    return _fetched(str(name), allow_hub=allow_hub)


def _admitted(folder: Path, *, allow_hub: bool) -> Admitted:
    """The pipeline in the folder; where there is none, the one of the hub that its settings name, under these settings."""
    if (folder / "model_index.json").exists() or not (folder / settings.FILE).exists():
        return admit(folder)
    hub = settings.read_settings(folder).hub
    return admit(_fetched(hub, allow_hub=allow_hub), settings_in=folder) if hub else admit(folder)


def _fetched(name: str, *, allow_hub: bool) -> Path:
    if not allow_hub:
        raise ImageryError(f"{name}: expected a local folder; models of the hub are not allowed here")
    repository, _, commit = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=commit, allow_patterns=list(_FETCHED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ImageryError(f"{name}: cannot be had from the hub: {str(error)[:300]}") from error


def _name(name_or_folder: str | Path) -> str:
    """The folder's or the hub model's own name."""
    return Path(str(name_or_folder).partition("@")[0]).name
