"""The designers' page as a headless Chromium shows it: ordered, looked at while it is made, reviewed by another person, exported."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.ateliers import People, furnished, order, product, worker
from tests.e2e.browser import Page, browser, needs_chromium
from tests.e2e.serving import Server, eventually, serving

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("atelier")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, imagery=furnished(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def people(server: Server) -> People:
    return People(server)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


class Person:
    """Somebody before the browser."""

    def __init__(self, page: Page, people: People, user: str) -> None:
        self.page, self.url = page, f"http://{people.server.announced['http']}/imagery"
        page.open(f"{self.url}/login")
        eventually(
            lambda: page.evaluate(
                "document.readyState === 'complete' && !!document.querySelector('[name=token]')"
            )
        )
        page.evaluate(f"document.querySelector('[name=token]').value = {json.dumps(people.tokens[user])}")
        self.press("form[action$=login] button")
        eventually(lambda: user.split(maxsplit=1)[0] in page.text(".who"))

    def open(self, job_id: str) -> None:
        self.page.open(f"{self.url}/jobs/{job_id}")
        self.sees("#status")

    def sees(self, selector: str) -> None:
        """Wait until something is to be read there, on a page that has all that it is drawn with; asked at once, as pages change in between."""
        there = f"!!document.querySelector({json.dumps(selector)})?.innerText"
        eventually(lambda: self.page.evaluate(f"document.readyState === 'complete' && {there}"))

    def press(self, selector: str) -> None:
        self.page.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, selector: str, value: str) -> None:
        self.page.evaluate(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}")

    def choose_file(self, name: str, data: bytes) -> None:
        script = f"""
        (() => {{
          const bytes = Uint8Array.from(atob({json.dumps(base64.b64encode(data).decode())}), one => one.charCodeAt(0));
          const chosen = new DataTransfer();
          chosen.items.add(new File([bytes], "{name}.png", {{ type: "image/png" }}));
          document.querySelector("[name={name}]").files = chosen.files;
        }})()"""
        self.page.evaluate(script)


def test_an_order_goes_from_the_form_to_a_signed_file_through_two_people(
    folder: Path, people: People, page: Page
) -> None:
    kim = Person(page, people, "kim")
    photo, mask = product()
    kim.choose_file("photo", photo)
    kim.choose_file("mask", mask)
    for field, value in {
        "scene": "白色大理石桌面",
        "name": "a mug",
        "side": "600",
        "count": "2",
        "generator": "procedural",
    }.items():
        kim.fill(f"[name={field}]", value)
    page.evaluate(
        "for (const one of document.querySelectorAll('[name=rules]')) one.checked = one.value === 'google.merchant'"
    )
    kim.press("form.grid button.first")
    eventually(lambda: "waiting for a worker" in page.text("#status"))
    assert "白色大理石桌面" in page.text(".brief")
    job_id = str(page.evaluate("location.pathname.split('/').pop()"))

    with worker(folder, "--once"):
        # nobody reloads the page: what is made comes by itself
        eventually(lambda: page.evaluate("document.querySelectorAll('img.preview').length") == 2)
        eventually(lambda: "done" in page.text("#status"))
    assert page.evaluate("document.querySelector('#candidate-1 img.preview').complete")
    eventually(
        lambda: page.evaluate("document.querySelector('#candidate-1 img.preview').naturalWidth") == 600
    )
    assert page.evaluate("document.querySelector('#candidate-1 img.difference').naturalWidth") == 600
    assert "google.merchant" in page.text("#candidate-1 .report")
    kim.fill("#candidate-1 [name=reason]", "the light fits")
    kim.press("#candidate-1 button.propose")
    eventually(lambda: "in review" in page.text("#candidate-1"))
    assert "Approve" not in page.text("#candidate-1")

    again = Person(page, people, "kim again")
    again.open(job_id)
    assert "another user than kim, who ordered it" in page.text("#candidate-1")
    assert "Approve" not in page.text("#candidate-1")

    ada = Person(page, people, "ada")
    ada.page.open(f"{ada.url}/?show=review")
    eventually(lambda: "a mug" in page.text(".jobs"))
    ada.press(".jobs a")
    eventually(lambda: "Approve" in page.text("#candidate-1"))
    ada.press("#candidate-1 button.approve")
    eventually(lambda: "approved by ada" in page.text("#candidate-1"))

    kim = Person(page, people, "kim")
    kim.open(job_id)
    assert "Export for google.merchant" in page.text("#candidate-1")
    sent = page.evaluate(
        """(async () => {
          const form = document.querySelector("#candidate-1 form[action$=export]");
          const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
          const bytes = new Uint8Array(await answer.arrayBuffer());
          return [answer.status, answer.headers.get("content-disposition"), bytes.length, Array.from(bytes.slice(0, 3))];
        })()"""
    )
    assert sent[0] == 200
    assert sent[1].startswith("attachment; filename=")
    assert sent[3] in ([0xFF, 0xD8, 0xFF], [0x89, 0x50, 0x4E])
    eventually(lambda: "exported" in page.text("#candidate-1"))


def test_a_form_that_is_being_filled_in_is_left_alone_while_the_rest_is_drawn_anew(
    folder: Path, people: People, page: Page
) -> None:
    with people.client("kim") as client:
        job, _ = client.imagery.create(order(count=2))
        with worker(folder, "--once"):
            kim = Person(page, people, "kim")
            kim.open(job.id)
            eventually(lambda: page.text("#candidate-1 button.propose") != "")
            page.evaluate("document.querySelector('#candidate-1 [name=reason]').focus()")
            kim.fill("#candidate-1 [name=reason]", "half a sen")
            eventually(lambda: page.text("#candidate-2 button.propose") != "")
        assert page.evaluate("document.querySelector('#candidate-1 [name=reason]').value") == "half a sen"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_lies_beyond_the_edge_of_the_screen(people: People, page: Page, width: int) -> None:
    page.size(width, 800, phone=width < 500)
    kim = Person(page, people, "kim")
    kim.sees(".who")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    kim.press(".jobs a")
    kim.sees("#status")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_asked_of_another_host(people: People, page: Page) -> None:
    kim = Person(page, people, "kim")
    kim.press(".jobs a")
    eventually(lambda: page.text("#status") != "")
    asked = page.evaluate("performance.getEntriesByType('resource').map(one => new URL(one.name).host)")
    assert set(asked) == {people.server.announced["http"]}


def test_a_page_whose_server_is_gone_does_not_look_alive(people: People, page: Page, server: Server) -> None:
    kim = Person(page, people, "kim")
    kim.press(".jobs a")
    eventually(lambda: page.text("#status") != "")
    eventually(lambda: page.evaluate("document.readyState") == "complete")  # with its script
    server.kill()
    eventually(lambda: page.evaluate("document.getElementById('live').className") == "stale")
