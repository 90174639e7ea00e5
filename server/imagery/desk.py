"""The desk in earnest: rule sets, label policies, approvals and signed files, as `vision.imagery` has them. No torch.

Files are signed with the configured certificate; where none is configured, nothing is exported, and it is said how to get one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue

from server.config import Imagery
from server.imagery.ports import Subject
from vision.errors import ImageryError, MissingExtraError, StateError
from vision.image import ImageLimits
from vision.imagery.approval import approval_digest
from vision.imagery.brief import Brief
from vision.imagery.certificates import Signer, read_signer
from vision.imagery.compliance import Picture, check_picture, rule_set, rule_sets
from vision.imagery.compliance.metadata import LIMITS
from vision.imagery.create import GENERATORS, model_names
from vision.imagery.export import Exported, export
from vision.imagery.exportable import check_exportable
from vision.imagery.kept import decode_master, pixels_sha256
from vision.imagery.labels.policy import label_policy, parse_policy, policy_names
from vision.imagery.labels.waiver import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDesk:
    """What the server uses of `vision.imagery`.

    Attributes:
        usual: the label policy of orders that name none.
        producer: who offers the service, for labels that ask for it.
        signer: absent where nothing can be exported.
        models: the folder of scene models; absent where it is not known here which ones workers have.
        limits: of pictures that are checked.
    """

    usual: str
    producer: str | None
    signer: Signer | None
    models: Path | None = None
    limits: ImageLimits = LIMITS

    def check_order(self, brief: Brief, policy: Mapping[str, JsonValue], photo: bytes) -> None:
        known = (*GENERATORS, *model_names(self.models))
        if self.models is not None and brief.generator not in known:
            raise ImageryError(f"generator: expected one of {', '.join(known)}, found {brief.generator!r}")
        check_exportable(brief, parse_policy(policy), photo)

    def rule_sets(self) -> Sequence[str]:
        return tuple(one.name for one in rule_sets())

    def policies(self) -> Sequence[str]:
        return (self.usual, *(name for name in policy_names() if name != self.usual))

    def policy(self, name: str, waiver: Waiver | None) -> Mapping[str, JsonValue]:
        policy = label_policy(name or self.usual, producer=self.producer, waiver=waiver)
        return policy.model_dump(mode="json")

    def check(self, image: bytes, rules: Sequence[str]) -> Sequence[Mapping[str, JsonValue]]:
        sets, picture = [rule_set(name) for name in rules], Picture(image, limits=self.limits)
        return [check_picture(picture, one).model_dump(mode="json") for one in sets]

    def approval(self, subject: Subject) -> str:
        manifest = subject.manifest
        return approval_digest(
            pixels_sha256(decode_master(subject.master_png)),
            [rule_set(name).digest() for name in manifest.brief.rules],
            parse_policy(subject.policy).digest(),
            manifest.digest(),
        )

    def export(self, subject: Subject, rules: str, approved: str) -> tuple[Exported, Mapping[str, JsonValue]]:
        if self.signer is None:
            raise StateError(
                "export: expected a certificate to sign with (imagery.signing_chain and imagery.signing_key; `loupe imagery keygen` makes "
                "one for development), found none"
            )
        exported = export(
            subject.master_png,
            subject.manifest,
            rule_set(rules),
            parse_policy(subject.policy),
            self.signer,
            photo=subject.photo,
            alpha_png=subject.alpha_png,
            approved=approved,
        )
        return exported, exported.report.model_dump(mode="json")


def open_desk(config: Imagery, limits: ImageLimits = LIMITS) -> MarketDesk:
    """Read what the configuration names.

    Args:
        limits: of pictures that are checked.

    Raises:
        SettingsError: certificate or key cannot be used.
        ImageryError: there is no such label policy, or it does not take the producer.
        MissingExtraError: there is a certificate, and nothing installed to sign with.
    """
    signer = None
    if config.signing_chain is not None and config.signing_key is not None:
        if find_spec("c2pa") is None:
            raise MissingExtraError("imagery", "c2pa")
        signer = read_signer(config.signing_chain, config.signing_key)
    desk = MarketDesk(
        usual=config.label_policy,
        producer=config.producer or None,
        signer=signer,
        models=config.models,
        limits=limits,
    )
    desk.policy("", None)
    return desk
