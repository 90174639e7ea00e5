"""A finished candidate with everything it was made from, small and quick: a drawn product on a drawn table, or on white; and its export."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from tests.goods import Kind, goods
from vision.image import Pixels, encode_png
from vision.imagery.brief import PLAIN_WHITE, PROCEDURAL, Brief
from vision.imagery.certificates import Signer
from vision.imagery.compliance import RuleSet
from vision.imagery.create import generator_named, make, prepare
from vision.imagery.export import Exported, export
from vision.imagery.kept import decode_master, pixels_sha256
from vision.imagery.labels.policy import LabelPolicy, label_policy
from vision.imagery.manifest import Manifest

CN: Final = label_policy("cn", producer="shop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What an export is made from."""

    manifest: Manifest
    master_png: bytes
    photo: bytes
    alpha_png: bytes

    def synthetic(self) -> "Finished":
        """The same as if a trained model had made the scene."""
        scene = self.manifest.scene.model_copy(
            update={"synthetic": True, "fingerprint": {"unet": "ab" * 32, "torch": "2.14"}}
        )
        return self.with_manifest(scene=scene)

    def with_manifest(self, **changed: object) -> "Finished":
        return Finished(
            manifest=self.manifest.model_copy(update=changed),
            master_png=self.master_png,
            photo=self.photo,
            alpha_png=self.alpha_png,
        )

    def with_master(self, change: Callable[[Pixels], None], *, told: bool) -> "Finished":
        """Another master; `told` where the manifest says so as well."""
        master = decode_master(self.master_png).copy()
        change(master)
        changed = {"master": pixels_sha256(master)} if told else {}
        return Finished(
            manifest=self.manifest.model_copy(update=changed),
            master_png=encode_png(master),
            photo=self.photo,
            alpha_png=self.alpha_png,
        )


@cache
def finished(
    *,
    kind: Kind = "mug",
    plain: bool = False,
    rules: tuple[str, ...] = ("google.merchant",),
    side: int = 600,
    photo_side: int = 900,
) -> Finished:
    """One candidate."""
    good = goods(kind, 1, photo_side, backdrop="white")
    brief = Brief(
        scene="plain white" if plain else "white marble table, light from the left",
        rules=rules,
        generator=PLAIN_WHITE if plain else PROCEDURAL,
        count=1,
        size_wh=(side, side),
    )
    prepared = prepare(good.photo_png, encode_png(np.dstack([good.alpha_hw] * 3)), brief)
    made = make(prepared, brief, 1, generator_named(brief.generator), lambda _: None)
    return Finished(
        manifest=made.manifest, master_png=made.master_png, photo=prepared.photo, alpha_png=prepared.alpha_png
    )


def lenient(
    *, most_bytes: int | None = None, formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "TIFF"), **other: Any
) -> RuleSet:
    """Rules that ask for next to nothing."""
    common = {"severity": "fail", "source": "a test", "checked_on": "2026-11-28", "status": "verified"}
    rules: list[dict[str, Any]] = [{"id": "format", "kind": "format", "value": formats} | common]
    if most_bytes:
        rules.append({"id": "bytes", "kind": "bytes", "value": {"max": most_bytes}} | common)
    rules += [{"id": kind, "kind": kind, "value": value} | common for kind, value in other.items()]
    return RuleSet.model_validate(
        {"name": "google.merchant", "title": "Lenient", "version": 1, "rules": rules}
    )


def exported(
    candidate: Finished,
    by: Signer,
    *,
    rules: RuleSet | None = None,
    policy: LabelPolicy = CN,
    approved: str | None = None,
) -> Exported:
    return export(
        candidate.master_png,
        candidate.manifest,
        rules or lenient(),
        policy,
        by,
        photo=candidate.photo,
        alpha_png=candidate.alpha_png,
        approved=approved,
    )
