"""A catalog bundle says all that its answers depend on, and one whose parts do not belong together is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.bundles import make_bundle
from tests.catalog_bundles import (
    ALL,
    LEVELS,
    MODEL,
    PREPROCESS,
    TREE,
    certificate,
    make_catalog_bundle,
    manifest,
    spec,
    temperatures,
)
from vision.bundle import Bundle
from vision.catalog.certificate import CatalogCertificate, LevelPromise
from vision.catalog.outputs import ATTRIBUTES, IMAGE, TEXT, output_names
from vision.catalog.spec import TAXONOMY, CatalogSpec, bundled_taxonomy, catalog_spec, subset_name, subsets
from vision.catalog.taxonomy import Category, Taxonomy
from vision.errors import BundleError, CertificateError


def deciding(**changed: Any) -> dict[str, Any]:
    """The manifest's decision part with some fields changed."""
    return {**manifest().decision, **changed}


def reading(**changed: Any) -> dict[str, Any]:
    """The decision part with some fields of the file's reading changed."""
    return deciding(files={MODEL: {**spec().files[MODEL].model_dump(mode="json"), **changed}})


def certified_as(**changed: Any) -> dict[str, Any]:
    return reading(certificate=certificate().model_copy(update=changed).model_dump(mode="json"))


def shop(path: Path, decision: dict[str, Any]) -> Bundle:
    return make_catalog_bundle(path / "shop", decision=decision)


@pytest.mark.parametrize("form", ["shop", "shop.loupe"])
@pytest.mark.parametrize("modalities", [ALL, (IMAGE,), (IMAGE, TEXT), (IMAGE, ATTRIBUTES)])
def test_a_bundle_gives_back_its_spec_and_tree(
    modalities: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    bundle = make_catalog_bundle(tmp_path / form, modalities=modalities)
    found = catalog_spec(bundle)
    assert found == spec(modalities)
    assert found.modalities == modalities
    assert bundled_taxonomy(bundle, found) == TREE


def test_a_spec_goes_into_a_manifest_and_comes_out_the_same() -> None:
    assert CatalogSpec.model_validate(spec().into(manifest()).decision) == spec()


def test_subsets_are_counted_up_as_the_graph_counts_them() -> None:
    assert [subset_name(one) for one in subsets(ALL)] == [
        "attributes",
        "text",
        "text+attributes",
        "image",
        "image+attributes",
        "image+text",
        "image+text+attributes",
    ]
    assert subsets((IMAGE,)) == ((IMAGE,),)


def test_outputs_are_named_by_kind_and_level() -> None:
    assert output_names(("top", "leaf"), (IMAGE, TEXT)) == (
        "embedding",
        *("logits_top", "subsets_top", "image_top", "cam_top", "text_top"),
        *("logits_leaf", "subsets_leaf", "image_leaf", "cam_leaf", "text_leaf"),
    )


def test_an_inspection_bundle_is_no_catalog_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="task: expected 'catalog', found 'inspection'"):
        catalog_spec(make_bundle(tmp_path / "plates"))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({}, r"decision\.levels: Field required"),
        (deciding(levels=[]), r"decision\.levels"),
        (deciding(extra=1), r"decision\.extra"),
        (reading(novelty_radius=0), r"decision\.files\.model\.onnx\.novelty_radius"),
        (reading(temperatures={**temperatures(), "image": 0}), r"temperatures\.image"),
        (reading(temperatures=temperatures((IMAGE, TEXT))), r"temperatures: expected \['attributes', "),
        (deciding(files={}), r"decision\.files: expected \['model\.onnx'\], found \[\]"),
        (deciding(text=None), r"temperatures: expected \['attributes', 'image', 'image\+attributes'\]"),
    ],
)
def test_a_field_that_is_wrong_is_named(decision: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=said):
        catalog_spec(shop(tmp_path, decision))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_sha256": "f" * 64}, f"model: expected {'f' * 64}, found"),
        ({"preprocess_sha256": "0" * 64}, "preprocessing: expected 0000"),
        ({"temperatures": dict.fromkeys(temperatures(), 1.0)}, "temperatures: expected"),
        ({"promises": {}}, "expected promises for department, family, kind with each of"),
        (
            {"promises": {name: found[:2] for name, found in certificate().promises.items()}},
            r"found \{'attributes': \('department', 'family'\)",
        ),
        (
            {"promises": {name: found[::-1] for name, found in certificate().promises.items()}},
            "'kind', 'family', 'department'",
        ),
    ],
)
def test_a_certificate_of_something_else_is_refused(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(CertificateError, match=said):
        catalog_spec(shop(tmp_path, certified_as(**changed)))


def test_a_certificate_holds_for_what_it_was_issued_for() -> None:
    issued = certificate()
    issued.check(
        model_sha256=issued.model_sha256, preprocess_sha256=PREPROCESS.digest(), temperatures=temperatures()
    )


def test_a_certificate_speaks_of_the_finest_level_with_everything_given() -> None:
    assert certificate().line() == (
        "kind: of the answers from probability 0.750 on at most 5.0% are wrong "
        "(95% confidence, image+text+attributes); 95.0% of items are answered"
    )
    promises = tuple(one.model_copy(update={"threshold": None}) for one in certificate().promises["image"])
    nothing = certificate((IMAGE,)).model_copy(update={"promises": {"image": promises}})
    assert nothing.line() == "kind: no answer could be certified at 5.0%"


def test_a_promise_knows_its_coverage() -> None:
    promise = LevelPromise(level="kind", threshold=0.5, answered=3, wrong=0, of=4, upper=0.6)
    assert promise.coverage == 0.75
    assert promise.model_copy(update={"answered": 0, "of": 0}).coverage == 0
    assert CatalogCertificate.model_validate_json(certificate().model_dump_json()) == certificate()


def foreign(**changed: Any) -> bytes:
    return Taxonomy(**{"levels": LEVELS, "categories": TREE.categories, **changed}).to_json().encode()


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (TREE.to_json().encode()[:300], "taxonomy.json: file: Invalid JSON"),
        (b"\xff\xfe", "taxonomy.json: file"),
        (b"{}", "levels: Field required"),
        (
            foreign(categories=(*TREE.categories, Category(level="kind", id="hats", parents=("tops",)))),
            "expected the levels .* and the model's labels at the last, found .* and 8 labels",
        ),
        (
            foreign(levels=LEVELS[:2], categories=TREE.categories[:6]),
            r"found \('department', 'family'\) and 4",
        ),
        (
            Taxonomy.from_paths(("a", "b", "c"), [("x", "y", "z")]).to_json().encode(),
            r"found \('a', 'b', 'c'\)",
        ),
    ],
)
def test_a_tree_that_is_damaged_or_anothers_is_refused(tree: bytes, said: str, tmp_path: Path) -> None:
    bundle = make_catalog_bundle(tmp_path / "shop", contents={TAXONOMY: tree})
    with pytest.raises(BundleError, match=said):
        bundled_taxonomy(bundle, catalog_spec(bundle))
