"""Products are placed by a real server as the core places them, and what cannot be placed is refused by its field."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from tests.catalog_bundles import PREPROCESS, stranger
from tests.e2e.serving import Server, inference_of, inspection_of, shown, wrong_fields
from tests.e2e.shops import Asker, png, product, refusal, said
from vision.catalog.categorize import open_categorizer
from vision.catalog.item import Item
from vision.image import encode_png
from vision.preprocess import prepare_bytes
from vision.v1 import catalog_pb2, inspection_pb2, open_inference_pb2

pytestmark = pytest.mark.slow

Code = grpc.StatusCode


# --- placing


def test_a_product_is_placed_as_the_core_places_it(kim: Asker, shop_folder: Path) -> None:
    photos = [png("sneakers", 1), png("sneakers", 2)]
    local = open_categorizer(shop_folder / "models" / "shop-1.0.loupe").answer(
        Item(
            photos=tuple(prepare_bytes(one, PREPROCESS) for one in photos),
            title="Court sneakers 跑步",
            attributes={"season": "summer", "heel": "flat"},
        )
    )

    answer = kim.categorize(
        product(*photos, title="Court sneakers 跑步", season="summer", heel="flat"), embedding=True
    )

    category = answer.category
    assert category.status == catalog_pb2.CATEGORY_STATUS_ANSWERED
    assert [one.label for one in category.levels] == [one.label for one in local.levels]
    assert [one.probability for one in category.levels] == pytest.approx(
        [one.probability for one in local.levels], rel=1e-5
    )
    assert [one.threshold for one in category.levels] == [one.threshold for one in local.levels]
    assert all(one.answered for one in category.levels)
    assert category.certified
    assert category.modalities == ["image", "text", "attributes"]
    assert dict(category.not_understood) == {"heel": "flat"}
    assert [list(one.labels) for one in category.alternatives] == [
        list(one.labels) for one in local.alternatives
    ]
    assert local.embedding is not None
    np.testing.assert_allclose(answer.embedding, local.embedding, rtol=1e-5)
    assert answer.model.name == "shop"
    assert answer.timings.total_ms > 0


def test_every_photo_of_a_product_counts_in_one_answer(kim: Asker) -> None:
    alone = kim.categorize(product(png("sneakers")), embedding=True)
    both = kim.categorize(product(png("sneakers"), png("tees", 3)), embedding=True)
    other = kim.categorize(product(png("tees", 3)), embedding=True)

    mean = (np.array(alone.embedding) + np.array(other.embedding)) / 2
    np.testing.assert_allclose(both.embedding, mean, rtol=1e-4)


def test_reasons_and_heatmaps_come_where_they_are_asked_for(kim: Asker) -> None:
    plain = kim.categorize(product(png("sneakers"), title="sneakers"))
    answer = kim.categorize(
        product(png("sneakers"), png("sneakers", 1), title="sneakers", season="Summer"),
        reasons=True,
        heatmap=True,
    )

    assert not plain.HasField("reasons")
    assert not plain.heatmaps_png
    assert answer.reasons.label == "sneakers"
    assert {"image", "text", "attributes", "bias"} == set(answer.reasons.shares)
    assert answer.reasons.words[0].word == "sneakers"
    assert [one.name for one in answer.reasons.attributes] == ["season"]
    assert len(answer.heatmaps_png) == 2
    assert Image.open(io.BytesIO(answer.heatmaps_png[0])).size == (64, 64)


def test_names_come_in_the_language_that_is_asked_for(kim: Asker) -> None:
    chinese = kim.categorize(product(png("sneakers")), language="zh-Hans-CN")

    assert [one.name for one in chinese.category.levels] == ["鞋类", "鞋", "运动鞋"]


def test_what_the_tree_does_not_hold_is_novel(kim: Asker) -> None:
    answer = kim.categorize(product(encode_png(stranger())))

    assert answer.category.status == catalog_pb2.CATEGORY_STATUS_NOVEL
    assert answer.category.novelty > 1
    assert not any(one.answered for one in answer.category.levels)


def test_a_photo_that_cannot_be_judged_is_left_out_where_there_is_a_title(kim: Asker) -> None:
    dark = encode_png(np.zeros((128, 128, 3), np.uint8))

    alone = kim.categorize(product(dark))
    titled = kim.categorize(product(dark, title="Court sneakers"))

    assert alone.category.status == catalog_pb2.CATEGORY_STATUS_IMAGE_QUALITY
    assert titled.category.modalities == ["text"]
    assert len(titled.category.quality_faults) == 1


@pytest.mark.parametrize(
    "title",
    [
        "👟" * 40,
        "أحذية رياضية sneakers \u202eabc\u202c",
        "跑步鞋",
        "sneakers\x07\x1b[31m\r\n\t",
        "x" * 10_000,
    ],
    ids=["emoji", "right to left", "Chinese", "control characters", "10,000 characters"],
)
def test_any_title_that_fits_is_read(kim: Asker, title: str) -> None:
    assert kim.categorize(product(png("sneakers"), title=title)).category.levels[-1].label == "sneakers"


def test_an_empty_title_is_as_none(kim: Asker) -> None:
    for title in ("", " ", "\u200b", "..."):
        assert kim.categorize(product(png("tees"), title=title)).category.modalities == ["image"]


@pytest.mark.parametrize(
    ("of", "field"),
    [
        pytest.param(product(png("tees"), title="x" * 100_000), "product.title", id="a title of 100 kB"),
        pytest.param(product(png("tees"), title="a\0b"), "product.title", id="a title with NUL"),
        (product(*[png("tees")] * 17), "product.photos"),
        (product(png("tees"), colour="x" * 1001), "product.attributes['colour']"),
        (product(png("tees"), **{"": "red"}), "product.attributes['']"),
        (product(b"no picture"), "image"),
    ],
)
def test_a_product_that_cannot_be_taken_is_refused_by_its_field(
    kim: Asker, of: catalog_pb2.Product, field: str
) -> None:
    error = refusal(lambda: kim.categorize(of))

    assert error.code() is Code.INVALID_ARGUMENT
    assert wrong_fields(error) == [field]


def test_a_product_of_which_nothing_is_known_is_refused(kim: Asker) -> None:
    error = refusal(lambda: kim.categorize(product(title="...")))

    assert error.code() is Code.INVALID_ARGUMENT
    assert "expected a photo, or any of text, attributes" in said(error)


def test_the_second_photo_is_named_where_it_is_at_fault(kim: Asker) -> None:
    assert "photos[1]" in said(refusal(lambda: kim.categorize(product(png("tees"), b"none"))))


def test_a_stream_answers_each_product_and_goes_on_after_one_that_fails(kim: Asker) -> None:
    requests = [
        catalog_pb2.CategorizeRequest(
            request_id=f"s{place}", product=product(png("tees", place) if place != 3 else b"none")
        )
        for place in range(8)
    ]

    answers = {one.request_id: one for one in kim.stream(requests)}

    assert sorted(answers) == [f"s{place}" for place in range(8)]
    assert answers["s3"].error.code == Code.INVALID_ARGUMENT.value[0]
    assert all(
        one.response.category.levels[-1].label == "tees" for name, one in answers.items() if name != "s3"
    )


def test_a_repeated_request_gets_the_first_answer_and_another_content_is_refused(kim: Asker) -> None:
    first = kim.categorize(product(png("tees")), request_id="r1")
    again = kim.categorize(product(png("tees")), request_id="r1")
    error = refusal(lambda: kim.categorize(product(png("shirts")), request_id="r1"))

    assert not first.repeated_answer
    assert again.repeated_answer
    assert again.timings.total_ms == first.timings.total_ms
    assert error.code() is Code.INVALID_ARGUMENT


def test_a_deadline_that_cannot_be_kept_is_refused(shop: Server, shop_tokens: dict[str, str]) -> None:
    hasty = Asker(shop.address, shop_tokens["kim"], timeout=0.002)

    assert refusal(lambda: hasty.categorize(product(png("tees")))).code() in {
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
    }


# --- roles, health, and the line beside


def test_nobody_without_the_role_is_served(asker: Callable[[str], Asker]) -> None:
    line = asker("line")
    calls: list[Callable[[], Any]] = [
        lambda: line.categorize(product(png("tees"))),
        lambda: line.stream([catalog_pb2.CategorizeRequest(product=product(png("tees")))]),
        lambda: line.index("x", product(png("tees"))),
        lambda: line.remove("x"),
        lambda: line.search(text="tees"),
        lambda: line.check(png("tees")),
        lambda: line.say("x", {"kind": "tees"}),
        line.export,
        lambda: asker("kim").export(),
    ]

    for call in calls:
        assert refusal(call).code() is Code.PERMISSION_DENIED


def test_on_loopback_anybody_may_ask_but_only_people_correct(shop: Server, kim: Asker) -> None:
    kim.index("theirs", product(png("tees")))
    nobody = Asker(shop.address)

    assert nobody.categorize(product(png("tees"))).category.levels[-1].label == "tees"
    assert refusal(lambda: nobody.say("theirs", {"kind": "shirts"})).code() is Code.PERMISSION_DENIED
    assert refusal(nobody.export).code() is Code.PERMISSION_DENIED


def test_both_kinds_of_models_are_served_side_by_side(shop: Server, kim: Asker) -> None:
    health = health_pb2_grpc.HealthStub(kim.channel)
    for name in ("shop", "plates", "vision.v1.CatalogService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    # each call takes the only model of its own task
    assert (
        inspection_of(kim.channel).Inspect(inspection_pb2.InspectRequest(image=png("tees"))).model.name
        == "plates"
    )
    assert kim.categorize(product(png("tees"))).model.name == "shop"
    error = refusal(lambda: kim.categorize(product(png("tees")), model="plates"))
    assert error.code() is Code.NOT_FOUND
    assert "served for catalogs: shop" in said(error)
    assert shop.metric('loupe_categorizations_total{model="shop",status="answered"}') > 0


# --- the open inference protocol


def test_other_clients_ask_a_catalog_model_by_the_open_inference_protocol(
    kim: Asker, shop_tokens: dict[str, str]
) -> None:
    metadata = shown(shop_tokens["kim"])
    stub = inference_of(kim.channel)
    pictures = [png("sneakers", 1), png("tees", 2)]
    encoded = b"".join(len(one).to_bytes(4, "little") + one for one in pictures)
    request = open_inference_pb2.ModelInferRequest(model_name="shop", raw_input_contents=[encoded])
    request.inputs.add(name="image", datatype="BYTES", shape=[2])

    described = stub.ModelMetadata(open_inference_pb2.ModelMetadataRequest(name="shop"), metadata=metadata)
    answer = stub.ModelInfer(request, metadata=metadata)
    error = refusal(lambda: stub.ModelInfer(request, metadata=shown(shop_tokens["line"])))

    names = [
        "logits_department",
        "logits_family",
        "logits_kind",
        "embedding",
        "category",
        "probability",
        "status",
    ]
    assert [one.name for one in described.outputs] == names
    outputs = dict(zip([one.name for one in answer.outputs], answer.raw_output_contents, strict=True))
    assert outputs["category"] == b"\x08\0\0\0sneakers\x04\0\0\0tees"
    assert list(next(one for one in answer.outputs if one.name == "logits_kind").shape) == [2, 7]
    assert error.code() is Code.PERMISSION_DENIED
    # and a catalog's token does not judge parts
    request.model_name = "plates"
    assert refusal(lambda: stub.ModelInfer(request, metadata=metadata)).code() is Code.PERMISSION_DENIED
