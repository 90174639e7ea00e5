"""What a server is told: one TOML file (`loupe.toml`), and what the command line says instead of it.

`read_config` gives one frozen value; `check_exposure` refuses what would let strangers in. Relative paths are relative to the folder
that the server is started in. A database password need not stand in the file: PostgreSQL's own PGPASSWORD or ~/.pgpass is read as
usual. Nothing here opens a socket, a database or a key.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    PlainSerializer,
    model_validator,
)

from server.masking import mask_url
from vision.address import Address
from vision.errors import SettingsError
from vision.inspection.inspect import OnDrift
from vision.settings import Settings
from vision.toml_file import as_address, read_model

KeepImages = Literal["none", "review", "all"]
WithoutModel = Literal["review", "reject"]


def _address_or_off(value: Any) -> Any:
    return None if value == "" else as_address(value)


_as_text = PlainSerializer(lambda address: "" if address is None else str(address), return_type=str)
Listen = Annotated[Address, BeforeValidator(as_address), _as_text]
ListenOrOff = Annotated[Address | None, BeforeValidator(_address_or_off), _as_text]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


class Limits(_Section):
    """What is refused before it costs much.

    Attributes:
        max_concurrent_streams: of one connection.
        max_waiting: requests a model.
        rate_per_s: requests a second for each token; absent: as many as there is room for.
        burst: requests that a token may send at once before `rate_per_s` binds.
    """

    max_message_mib: Annotated[int, Field(ge=1, le=1024)] = 16
    max_pixels: Count = 50_000_000
    max_concurrent_streams: Count = 128
    max_waiting: Count = 256
    max_batch: Annotated[int, Field(ge=1, le=256)] = 8
    rate_per_s: Positive | None = None
    burst: Count = 32


class Tls(_Section):
    """PEM files; with `client_ca` clients must show a certificate of that authority."""

    certificate: FilePath | None = None
    key: FilePath | None = None
    client_ca: FilePath | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"expected certificate and key together, found no {missing}")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("expected certificate and key beside client_ca, found neither")
        return self

    @property
    def enabled(self) -> bool:
        return self.certificate is not None


class Auth(_Section):
    """Who is let in.

    Attributes:
        required: whether a token is needed for everything; absent: except on loopback without TLS.
        certificates: a client certificate, which `tls.client_ca` has issued, stands for a token with the role station.
    """

    required: bool | None = None
    certificates: bool = False


class Storage(_Section):
    """Where results and pictures are kept.

    Attributes:
        blobs: a folder, or a URL as fsspec reads them.
        keep_images: none; all rejects, reviews and the audit sample; or all.
        max_bytes: of all pictures together.
        audit_share: share of the accepted parts that are drawn for people to check.
    """

    database: Annotated[str, Field(pattern=r"^(sqlite|postgresql)(\+[a-z0-9_]+)?://", repr=False)] = (
        "sqlite:///loupe-data/results.db"
    )
    blobs: Annotated[str, Field(min_length=1, repr=False)] = "loupe-data/images"
    keep_images: KeepImages = "review"
    max_age_days: Positive = 30.0
    max_bytes: Count = 10 * 2**30
    audit_share: Annotated[float, Field(ge=0, le=1)] = 0.01


class Trust(_Section):
    """Whose bundles are served; `require_signature` absent: where a key is trusted, and always beyond loopback."""

    trusted_keys: tuple[FilePath, ...] = ()
    require_signature: bool | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.trusted_keys and self.require_signature is False:
            raise ValueError(
                "require_signature: expected true where keys are trusted, since a missing signature may have been "
                "stripped; found false"
            )
        return self


class Line(_Section):
    """What is watched on a line: see `vision.inspection.inspect.Inspector`.

    Attributes:
        without_model: what happens to parts while no model is served; none of them is accepted.
    """

    drift_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    on_drift: OnDrift = "review_all"
    without_model: WithoutModel = "review"


class Catalog(_Section):
    """The catalog's items.

    Attributes:
        index: a folder for the search indexes, one a model; made anew from the database where it is missing.
        photos: where the items' photos are kept, without metadata: a folder, or a URL as fsspec reads them.
        keep_originals: also keep photos as they were sent, with whatever they say of their takers.
        frozen: SHA-256 digests of the test set's photos, one a line: they are never exported to be learned from.
        blemish: by a category's id at any level: the inspection model that judges customers' photos of such products.
        blemish_default: the inspection model for categories without one; empty: none.
        max_age_days: items that were handed in longer ago are removed, unless people have said what they are; absent: none is.
    """

    index: Path = Path("loupe-data/index")
    photos: Annotated[str, Field(min_length=1, repr=False)] = "loupe-data/photos"
    keep_originals: bool = False
    frozen: FilePath | None = None
    blemish: dict[str, Annotated[str, Field(min_length=1)]] = {}
    blemish_default: str = ""
    max_age_days: Positive | None = None


class Imagery(_Section):
    """Product images; what makes them is told to each worker (`loupe imagery worker`), which reads this as well.

    Attributes:
        images: where photos, masters and exported files are kept: a folder, or a URL as fsspec reads them.
        models: a folder of scene models for workers, each a folder; absent: those that Loupe carries alone.
        catalog, inspection: bundles that workers ask whether an image still shows the product, and soundly; absent: nobody is asked.
        lease_s: after how long without a heartbeat a worker is taken for lost.
        max_failures: how many workers in a row an order may lose or fail, none of whom finished a candidate, before it has failed itself.
        label_policy: how exported images are labelled where an order does not say.
        producer: who offers the service, by name or code, for labels that ask for it; without one, orders under such a policy of scenes by
            trained models are refused.
        signing_chain, signing_key: PEM files with which exported images are signed, the chain's leaf first.
        page: whether `http` shows the designers' page; it is never shown beyond loopback, having no TLS of its own.
        page_hosts: names under which a proxy on this machine passes the page on.
    """

    images: Annotated[str, Field(min_length=1, repr=False)] = "loupe-data/imagery"
    models: Path | None = None
    catalog: Path | None = None
    inspection: Path | None = None
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    max_failures: Annotated[int, Field(ge=1, le=100)] = 3
    label_policy: Annotated[str, Field(min_length=1)] = "everywhere"
    producer: str = ""
    signing_chain: FilePath | None = None
    signing_key: FilePath | None = None
    page: bool = True
    page_hosts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _signs_with_both(self) -> Self:
        if (self.signing_chain is None) != (self.signing_key is None):
            missing = "signing_key" if self.signing_key is None else "signing_chain"
            raise ValueError(f"expected signing_chain and signing_key together, found no {missing}")
        return self


class Traces(_Section):
    """Where spans go, and of which share of the calls that bring no decision of their own; see `server.tracing`."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/@\s]+$")] | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 1.0


class Config(_Section):
    """Everything a server is told.

    Attributes:
        models: a folder of bundles, each a folder or a .loupe file.
        http: metrics and health, without TLS; off where empty in the file, None here.
        http_expose: lets `http` be reached from other machines, by anybody.
        drain_s: how long requests in flight may take once the server is told to stop.
        default_deadline_s: for requests that bring none.
    """

    models: Path
    listen: Listen = Address(host="127.0.0.1", port=50051)
    http: ListenOrOff = Address(host="127.0.0.1", port=8080)
    http_expose: bool = False
    drain_s: Annotated[float, Field(ge=0)] = 10.0
    default_deadline_s: Positive = 10.0
    limits: Limits = Limits()
    tls: Tls = Tls()
    auth: Auth = Auth()
    storage: Storage = Storage()
    trust: Trust = Trust()
    line: Line = Line()
    catalog: Catalog = Catalog()
    imagery: Imagery = Imagery()
    traces: Traces = Traces()

    @model_validator(mode="after")
    def _certificates_are_verified(self) -> Self:
        if self.auth.certificates and self.tls.client_ca is None:
            raise ValueError("auth.certificates: expected tls.client_ca, which verifies them; found none")
        return self

    @property
    def auth_required(self) -> bool:
        """Whether a request without a token is refused; loopback without TLS is the only default where it is not."""
        if self.auth.required is not None:
            return self.auth.required
        return self.tls.enabled or not self.listen.loopback

    @property
    def page_shown(self) -> bool:
        """Whether the designers' page is served: on loopback alone, since `http` has no TLS to carry tokens in."""
        return self.imagery.page and self.http is not None and self.http.loopback

    @property
    def signature_required(self) -> bool:
        """Whether unsigned bundles are refused, as far as this configuration says; see `bundle_trust`."""
        asked = self.trust.require_signature
        return bool(self.trust.trusted_keys) or (not self.listen.loopback if asked is None else asked)


def read_config(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a file, or none.

    Args:
        overrides: values by dotted names (`limits.max_batch`), from the command line; those that are None are not given.

    Raises:
        SettingsError: a line for each field that is wrong, with the file, the field, what was expected and what was found.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    return read_model(Config, path, given)


def check_exposure(config: Config) -> None:
    """Refuse to be reached from other machines without TLS and tokens.

    Raises:
        SettingsError: naming the field that has to change.
    """
    if not config.listen.loopback:
        if not config.tls.enabled:
            raise SettingsError(
                f"listen: expected TLS (tls.certificate and tls.key) beyond loopback, found none for {config.listen}"
            )
        if not config.auth_required:
            raise SettingsError(
                f"auth.required: expected tokens to be required beyond loopback, found false for {config.listen}"
            )
    if config.http is not None and not config.http.loopback and not config.http_expose:
        raise SettingsError(
            f"http: expected a loopback address, or http_expose = true since metrics are then open to anybody; "
            f"found {config.http}"
        )


def bundle_trust(config: Config, settings: Settings) -> tuple[tuple[Ed25519PublicKey, ...], bool]:
    """The trusted keys of this server and of the machine's owner, and whether unsigned bundles are refused.

    Raises:
        SettingsError: a key cannot be read, or a signature is required and no key is trusted.
    """
    keys, required = settings.trust(config.trust.trusted_keys)
    required = required or config.signature_required
    if required and not keys:
        raise SettingsError(
            f"trust.trusted_keys: expected at least one public key, since unsigned bundles are refused on "
            f"{config.listen}; found none"
        )
    return keys, required


def show(config: Config) -> dict[str, Any]:
    """The effective configuration as JSON has it, with defaults decided and passwords masked."""
    shown = config.model_dump(mode="json")
    shown["auth"]["required"] = config.auth_required
    shown["trust"]["require_signature"] = config.signature_required
    shown["storage"] |= {name: mask_url(shown["storage"][name]) for name in ("database", "blobs")}
    for section, name in (("catalog", "photos"), ("imagery", "images")):
        shown[section][name] = mask_url(shown[section][name])
    return shown
