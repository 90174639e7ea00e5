"""What a machine's owner configures: environment variables that begin with LOUPE_.

    LOUPE_CACHE_DIR           where qualifications are remembered      (default: the user's cache folder)
    LOUPE_TRUSTED_KEYS        JSON list of public key files            (default: none)
    LOUPE_REQUIRE_SIGNATURE   refuse unsigned bundles, but in training (default: false)
    LOUPE_TOKEN               shown to servers by `--server`           (default: none)
    LOUPE_CUTOUT_MODEL        ONNX file that tells products apart      (default: u2netp's, if its package is installed)

Nothing is read at import; a program builds `Settings` once, when it starts.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableValue

from vision import signing
from vision.errors import SettingsError


class Settings(BaseSettings):
    """Effective settings; the token is masked wherever they are printed."""

    model_config = SettingsConfigDict(env_prefix="LOUPE_", frozen=True, extra="forbid")

    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "loupe")
    trusted_keys: tuple[Path, ...] = ()
    require_signature: bool = False
    token: SecretStr | None = None
    cutout_model: Path | None = None

    def trust(self, given: Iterable[Path] = ()) -> tuple[tuple[Ed25519PublicKey, ...], bool]:
        """The keys trusted here and those `given` beside them, and whether unsigned bundles are refused.

        Where a key is trusted, a bundle without a signature is refused: it may have been stripped.

        Raises:
            SettingsError: a key file cannot be read.
        """
        keys = (*self.trusted(), *map(signing.read_public, given))
        return keys, self.require_signature or bool(keys)

    def trusted(self) -> tuple[Ed25519PublicKey, ...]:
        """The public keys that bundles may be signed with.

        Raises:
            SettingsError: a key file cannot be read.
        """
        return tuple(signing.read_public(path) for path in self.trusted_keys)


def read_settings() -> Settings:
    """The settings of this machine's owner.

    Raises:
        SettingsError: a variable's name or value is not understood, or the user has no home folder and no LOUPE_CACHE_DIR.
    """
    known = {f"LOUPE_{name.upper()}" for name in Settings.model_fields}
    unknown = {name for name in os.environ if name.upper().startswith("LOUPE_")} - known
    if unknown:
        raise SettingsError(
            f"{min(unknown)}: expected one of {', '.join(sorted(known))}, found a name that is none of them"
        )
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"LOUPE_{'.'.join(map(str, first['loc'])).upper()}: {first['msg']}") from error
    except UnreadableValue as error:  # a list that is not JSON
        raise SettingsError(f"LOUPE_ variables: {error}: {error.__cause__}") from error
    except RuntimeError as error:  # as Path.home says it
        raise SettingsError(f"LOUPE_CACHE_DIR: expected a folder: {error}") from error
