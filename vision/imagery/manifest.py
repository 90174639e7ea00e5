"""What an image was made from and how: enough to make it again, and to say what differs where that cannot be.

A manifest names everything by its SHA-256; its own digest is that of its canonical JSON. It holds no pixels and no paths.
"""

import hashlib
import json
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from vision.errors import ImageryError
from vision.imagery.brief import Brief, Layout, is_absent
from vision.imagery.look import Look
from vision.imagery.placement import Placement
from vision.validation import first_fault

SCHEMA: Final = 1

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CutoutRecord(_Value):
    """How the product was told from its background.

    Attributes:
        how: `mask` (handed in), `alpha` (the photo's own), or the method that found it.
        alpha: of the alpha plane's PNG, which is kept beside the manifest: a placed product is re-derived from it and the photo.
        quality: 0 to 1, as `vision.imagery.cutout` scores it.
    """

    how: str
    alpha: Sha256
    quality: float = Field(ge=0.0, le=1.0)


class SceneRecord(_Value):
    """The scene, and what its pixels depend on.

    Attributes:
        pixels: of the scene's bytes (H, W, 3), before anything was placed in it.
        synthetic: whether a trained model made it.
        asked: the layout that it was asked for; `layout` is how it was made.
        look: what was taken from the brief's style picture, where there is one.
        record: as the generator tells.
        fingerprint: of the generator's run time.
    """

    generator: str
    pixels: Sha256
    synthetic: bool
    asked: Layout = Layout()
    layout: Layout
    look: Look | None = Field(default=None, exclude_if=is_absent)
    record: dict[str, JsonValue]
    fingerprint: dict[str, str]


class ComposeRecord(_Value):
    """How product and scene were put together: the composition's version and its numbers (shadow, light).

    Attributes:
        fingerprint: versions of the libraries that its pixels depend on.
    """

    version: int
    values: dict[str, JsonValue]
    fingerprint: dict[str, str] = {}


class Manifest(_Value):
    """One candidate.

    Attributes:
        photo: of the product photo's bytes as handed in.
        mask: of the mask's bytes, where one was handed in.
        locked: of the product's pixels in the master (those where the placed alpha is 255, row by row).
        master: of the master's bytes (H, W, 3), decoded.
    """

    schema_version: int = Field(default=SCHEMA, ge=1, le=SCHEMA)
    brief: Brief
    number: int = Field(ge=1, le=16)
    photo: Sha256
    mask: Sha256 | None = None
    cutout: CutoutRecord
    placement: Placement
    scene: SceneRecord
    compose: ComposeRecord
    locked: Sha256
    master: Sha256

    def canonical(self) -> bytes:
        """UTF-8 JSON with sorted keys and no spaces."""
        return json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        ).encode()

    def digest(self) -> str:
        """SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical()).hexdigest()


def parse_manifest(raw: bytes | str, *, name: str) -> Manifest:
    """A manifest from its JSON.

    Raises:
        ImageryError: it is none, or of a newer Loupe; the message begins with the name.
    """
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ImageryError(f"{name}: {first_fault(error, 'manifest')}") from None
