"""A configuration is read once, complained of by file and field, and never lets strangers in by default."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.config import Config, bundle_trust, check_exposure, read_config, show
from vision.address import Address
from vision.errors import SettingsError
from vision.settings import Settings
from vision.signing import generate, key_id


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """Stands for a certificate, a key, an authority: nothing here looks into them."""
    path = tmp_path / "some.pem"
    path.touch()
    return path


@pytest.fixture
def nobodys(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a machine whose owner has set nothing."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return Settings()


def written(folder: Path, text: str) -> Path:
    path = folder / "loupe.toml"
    path.write_text(text)
    return path


def configured(**values: Any) -> Config:
    return Config.model_validate({"models": "models", **values})


def test_an_almost_empty_file_gives_a_server_for_this_machine_alone(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, 'models = "bundles"'))
    assert config == Config(models=Path("bundles"))
    assert str(config.listen) == "127.0.0.1:50051"
    assert str(config.http) == "127.0.0.1:8080"
    assert config.auth_required is False
    assert (config.storage.keep_images, config.storage.max_bytes) == ("review", 10 * 2**30)
    assert (config.limits.rate_per_s, config.limits.max_batch) == (None, 8)
    assert (config.line.drift_alpha, config.line.on_drift) == (None, "review_all")
    check_exposure(config)


def test_a_whole_file_is_read(tmp_path: Path, pem: Path) -> None:
    text = f"""
        models = "/srv/bundles"
        listen = "0.0.0.0:443"
        http = ""
        drain_s = 5
        default_deadline_s = 2.5
        [limits]
        max_pixels = 1000
        rate_per_s = 20.5
        burst = 5
        [tls]
        certificate = "{pem}"
        key = "{pem}"
        client_ca = "{pem}"
        [auth]
        required = true
        [storage]
        database = "postgresql+psycopg://ada:pw@db/loupe"
        blobs = "s3://loupe/images"
        keep_images = "all"
        max_age_days = 7
        max_bytes = 1000
        audit_share = 0.05
        [trust]
        trusted_keys = ["{pem}"]
        require_signature = true
        [line]
        drift_alpha = 0.001
        on_drift = "continue_uncertified"
    """
    config = read_config(written(tmp_path, text))
    assert config.listen == Address(host="0.0.0.0", port=443)  # noqa: S104  (nothing is bound)
    assert config.http is None
    assert config.tls.client_ca == pem
    assert config.storage.database == "postgresql+psycopg://ada:pw@db/loupe"
    assert config.trust.trusted_keys == (pem,)
    assert config.line.on_drift == "continue_uncertified"
    check_exposure(config)


def test_the_command_line_comes_before_the_file_and_none_says_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, 'models = "a"\nlisten = "127.0.0.1:1"\n[limits]\nmax_batch = 4\nburst = 3')
    given = {
        "models": tmp_path,
        "listen": "[::1]:2",
        "limits.max_batch": 2,
        "http": None,
        "line.drift_alpha": 0.01,
    }
    config = read_config(path, given)
    assert (config.models, str(config.listen)) == (tmp_path, "[::1]:2")
    assert (config.limits.max_batch, config.limits.burst, config.line.drift_alpha) == (2, 3, 0.01)
    assert config.http is not None


def test_without_a_file_the_command_line_alone_is_enough(tmp_path: Path) -> None:
    assert read_config(None, {"models": tmp_path}).models == tmp_path
    with pytest.raises(SettingsError, match=r"^command line: models: expected a value, found none$"):
        read_config(None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "port = 3",
            "port: expected one of auth, catalog, default_deadline_s, .*; found a key that is none of these",
        ),
        (
            "[limits]\nmax_batches = 3",
            "limits.max_batches: expected one of burst, max_batch, .* none of these",
        ),
        ("[storrage]\nblobs = 'x'", "storrage: expected one of .*storage.*; found a key"),
        ("[limits]\nmax_batch = 0", "limits.max_batch: input should be greater than or equal to 1, found 0"),
        ("[limits]\nmax_batch = 'many'", "limits.max_batch: .*valid integer.*, found 'many'"),
        ("limits = 3", "limits: .*dictionary.*, found 3"),
        ("listen = 'localhost'", r"listen: expected host:port, \[::1\]:port or unix:PATH, found 'localhost'"),
        ("listen = 50051", "listen: expected host:port, .*found '50051'"),
        ("listen = ''", "listen: expected host:port, .*found ''"),
        ("http = 'here'", "http: expected host:port, .*found 'here'"),
        ("drain_s = nan", "drain_s: .*found nan"),
        ("default_deadline_s = 0", "default_deadline_s: .*greater than 0, found 0"),
        ("[storage]\naudit_share = 1.5", "storage.audit_share: .*less than or equal to 1, found 1.5"),
        ("[storage]\nkeep_images = 'some'", "storage.keep_images: .*'none', 'review' or 'all', found 'some'"),
        ("[line]\ndrift_alpha = 1.0", "line.drift_alpha: .*less than 1, found 1.0"),
        (
            "[tls]\ncertificate = 'absent.pem'",
            "tls.certificate: path does not point to a file, found 'absent.pem'",
        ),
        (
            "[trust]\ntrusted_keys = ['absent.pub']",
            "trust.trusted_keys.0: .*not point to a file, found 'absent.pub'",
        ),
        ("models", "expected TOML: "),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "loupe.toml"
    path.write_text("models = 'bundles'\n" + text)
    with pytest.raises(SettingsError, match=rf"^{path}: {message}"):
        read_config(path)


def test_every_field_that_is_wrong_has_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "[limits]\nburst = 0\nmax_bach = 3")
    with pytest.raises(SettingsError) as raised:
        read_config(path, {"drain_s": -1.0})
    lines = str(raised.value).splitlines()
    assert len(lines) == 4
    assert f"{path}: models: expected a value, found none" in lines
    assert "command line: drain_s: input should be greater than or equal to 0, found -1.0" in lines


def test_an_override_below_something_that_is_no_section_is_still_complained_of_by_field(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "models = 'bundles'\nlimits = 3")
    with pytest.raises(SettingsError, match=rf"^{path}: limits: "):
        read_config(path, {"limits.max_batch": 4})


@pytest.mark.parametrize("contents", [None, b"\xff = 1"])
def test_a_file_that_cannot_be_read_is_named(contents: bytes | None, tmp_path: Path) -> None:
    if contents is not None:
        (tmp_path / "loupe.toml").write_bytes(contents)
    with pytest.raises(SettingsError, match=r"loupe\.toml: expected (a )?TOML"):
        read_config(tmp_path / "loupe.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[storage]\ndatabase = 'mysql://ada:hunter2@db'",
        "password = 'hunter2'",
        "[storage]\npassword = 'hunter2'",
    ],
)
def test_a_complaint_does_not_tell_a_password(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_config(written(tmp_path, "models = 'bundles'\n" + text))
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None, "it would be in the traceback"
    assert "hunter2" not in str(raised.value.__context__)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("certificate",), "expected certificate and key together, found no key"),
        (("key",), "expected certificate and key together, found no certificate"),
        (("client_ca",), "expected certificate and key beside client_ca, found neither"),
        (("key", "client_ca"), "found no certificate"),
    ],
)
def test_tls_is_whole_or_not_at_all(given: tuple[str, ...], message: str, tmp_path: Path, pem: Path) -> None:
    text = "models = 'bundles'\n[tls]\n" + "\n".join(f"{name} = '{pem}'" for name in given)
    with pytest.raises(SettingsError, match=rf"loupe\.toml: tls: .*{message}"):
        read_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("listen", "tls", "required", "effective"),
    [
        ("127.0.0.1:1", False, None, False),  # the only default without tokens
        ("unix:/run/loupe.sock", False, None, False),
        ("127.0.0.1:1", True, None, True),
        ("127.0.0.1:1", False, True, True),
        ("127.0.0.1:1", True, False, False),
        ("0.0.0.0:1", True, None, True),
        ("0.0.0.0:1", False, None, True),
    ],
)
def test_tokens_are_required_except_on_loopback_without_tls(
    listen: str, tls: bool, required: bool | None, effective: bool, pem: Path
) -> None:
    files = {"certificate": pem, "key": pem} if tls else {}
    config = configured(listen=listen, tls=files, auth={"required": required})
    assert config.auth_required is effective
    assert show(config)["auth"]["required"] is effective


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:50051", ":50051", "[::]:50051", "10.1.2.3:50051", "box.example:50051"]
)
@pytest.mark.parametrize(
    ("tls", "required", "refusal"),
    [
        (False, None, r"listen: expected TLS .* beyond loopback"),
        (False, True, r"listen: expected TLS .* beyond loopback"),
        (True, False, r"auth\.required: expected tokens to be required beyond loopback"),
        (True, None, None),
        (True, True, None),
    ],
)
def test_beyond_loopback_takes_tls_and_tokens(
    listen: str, tls: bool, required: bool | None, refusal: str | None, pem: Path
) -> None:
    files = {"certificate": pem, "key": pem} if tls else {}
    config = configured(listen=listen, tls=files, auth={"required": required})
    if refusal is None:
        check_exposure(config)
        return
    with pytest.raises(SettingsError, match=refusal):
        check_exposure(config)


def test_a_clients_certificate_does_not_stand_for_its_token(pem: Path) -> None:
    files = {"certificate": pem, "key": pem, "client_ca": pem}
    with pytest.raises(SettingsError, match=r"auth\.required"):
        check_exposure(configured(listen=":50051", tls=files, auth={"required": False}))


@pytest.mark.parametrize(
    ("http", "expose", "refused"),
    [
        ("127.0.0.1:8080", False, False),
        ("localhost:8080", False, False),
        ("", False, False),
        ("", True, False),
        ("0.0.0.0:8080", True, False),
        ("0.0.0.0:8080", False, True),
        (":8080", False, True),
        ("10.1.2.3:8080", False, True),
    ],
)
def test_http_beyond_loopback_must_be_asked_for(http: str, expose: bool, refused: bool, pem: Path) -> None:
    for tls in ({}, {"certificate": pem, "key": pem}):  # which http does not use
        config = configured(http=http, http_expose=expose, tls=tls)
        if refused:
            with pytest.raises(
                SettingsError, match=r"^http: expected a loopback address, or http_expose = true"
            ):
                check_exposure(config)
        else:
            check_exposure(config)


@pytest.mark.parametrize(
    ("listen", "asked", "keys", "required"),
    [
        ("127.0.0.1:1", None, False, False),
        ("127.0.0.1:1", None, True, True),  # a missing signature may have been stripped
        ("127.0.0.1:1", True, True, True),
        ("127.0.0.1:1", False, False, False),
        ("0.0.0.0:1", None, True, True),
        ("0.0.0.0:1", False, False, False),  # said in so many words
    ],
)
def test_unsigned_bundles_are_refused_where_a_key_is_trusted(
    listen: str, asked: bool | None, keys: bool, required: bool, tmp_path: Path, nobodys: Settings
) -> None:
    made = generate(tmp_path / "line.key", tmp_path / "line.pub")
    trusted = [tmp_path / "line.pub"] if keys else []
    config = configured(listen=listen, trust={"trusted_keys": trusted, "require_signature": asked})
    found, effective = bundle_trust(config, nobodys)
    assert effective is required
    assert show(config)["trust"]["require_signature"] is required
    assert [key_id(key) for key in found] == ([made] if keys else [])


@pytest.mark.parametrize(("listen", "asked"), [("0.0.0.0:1", None), ("127.0.0.1:1", True)])
def test_a_required_signature_takes_a_trusted_key(listen: str, asked: bool | None, nobodys: Settings) -> None:
    config = configured(listen=listen, trust={"require_signature": asked})
    with pytest.raises(SettingsError, match=r"trust\.trusted_keys: expected at least one public key"):
        bundle_trust(config, nobodys)


def test_what_the_machines_owner_requires_is_kept(tmp_path: Path, nobodys: Settings) -> None:
    made = generate(tmp_path / "line.key", tmp_path / "line.pub")
    owners = nobodys.model_copy(update={"trusted_keys": (tmp_path / "line.pub",), "require_signature": True})
    keys, required = bundle_trust(configured(trust={"require_signature": False}), owners)
    assert ([key_id(key) for key in keys], required) == ([made], True)


def test_a_trusted_key_and_unsigned_bundles_contradict_each_other(tmp_path: Path, pem: Path) -> None:
    path = written(
        tmp_path, f"models = 'bundles'\n[trust]\ntrusted_keys = ['{pem}']\nrequire_signature = false"
    )
    with pytest.raises(SettingsError, match=r"loupe\.toml: trust: require_signature: expected true"):
        read_config(path)


def test_a_trusted_key_that_is_none_is_named(pem: Path, nobodys: Settings) -> None:
    with pytest.raises(SettingsError, match=r"some\.pem: expected an Ed25519 public key"):
        bundle_trust(configured(trust={"trusted_keys": [pem]}), nobodys)


def test_the_effective_configuration_is_shown_without_passwords() -> None:
    storage = {"database": "postgresql://ada:hunter2@db/loupe", "blobs": "s3://key:hunter2@bucket/images"}
    config = configured(http="", storage=storage, imagery={"images": "s3://key:hunter2@bucket/imagery"})
    shown = show(config)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["storage"]["database"] == "postgresql://ada:***@db/loupe"
    assert shown["listen"] == "127.0.0.1:50051"
    assert shown["http"] == ""
    assert shown["limits"]["rate_per_s"] is None
    assert "hunter2" not in json.dumps(shown) + repr(config) + str(config)


def test_what_is_shown_means_the_same_when_it_is_read() -> None:
    shown = show(configured(listen="unix:/run/loupe.sock", http="", line={"drift_alpha": 0.01}))
    assert show(Config.model_validate(shown)) == shown


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        configured().drain_s = 3.0


@pytest.mark.parametrize(
    ("given", "missing"), [("signing_chain", "signing_key"), ("signing_key", "signing_chain")]
)
def test_images_are_signed_with_chain_and_key_or_not_at_all(pem: Path, given: str, missing: str) -> None:
    with pytest.raises(ValidationError, match=f"signing_chain and signing_key together, found no {missing}"):
        configured(imagery={given: pem})
    assert configured(imagery={given: pem, missing: pem}).imagery.signing_key == pem


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, True),
        ({"http": "unix:/run/loupe.sock"}, True),
        ({"http": ""}, False),
        ({"http": "0.0.0.0:8080", "http_expose": True}, False),
        ({"imagery": {"page": False}}, False),
    ],
)
def test_the_designers_page_is_never_beyond_this_machine(values: dict[str, Any], shown: bool) -> None:
    assert configured(**values).page_shown is shown
