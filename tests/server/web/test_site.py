"""The designers' page over real HTTP: who gets in, what is shown, what a form may do, and what is refused."""

import asyncio
import http.client
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Mount

from server.auth import MemoryTokens, Role, issue
from server.http import application, http_server, listening
from server.imagery.orders import Orders
from server.imagery.reviewing import Reviewing
from server.imagery.worker import Habits, Worker
from server.storage.blobs import open_blobs
from server.storage.database import open_database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs, Wanted
from server.storage.imagery_queue import ImageryQueue
from server.token_cache import CachedTokens
from server.web.site import PATH, Page, site
from server.web.views import Views
from tests.server.imagery.parts import RULES, GreyStudio, PlainDesk, photo
from vision.address import Address
from vision.image import ImageLimits, decode
from vision.imagery.review import Act

LIMIT: Final = 200_000
_KEY: Final = re.compile(r'name="form_key" value="([^"]+)"')


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def place(self) -> str:
        return self.headers["location"]


@dataclass
class House:
    """The page on a port of its own, with a worker to call."""

    folder: Path
    tokens: MemoryTokens = field(default_factory=MemoryTokens)

    def __post_init__(self) -> None:
        self.database = open_database(f"sqlite:///{self.folder / 'results.db'}")
        self.blobs, self.desk = open_blobs(str(self.folder / "imagery")), PlainDesk()
        self.jobs, events, books = (
            ImageryJobs(self.database),
            ImageryEvents(self.database),
            ImageryBooks(self.database),
        )
        self.events, cached = events, CachedTokens(self.tokens)
        page = Page(
            orders=Orders(self.jobs, events, books, self.blobs, self.desk, ImageLimits(max_bytes=LIMIT)),
            reviewing=Reviewing(self.jobs, events, books, self.blobs, self.desk),
            views=Views(rule_sets=RULES, policies=self.desk.policies(), generators=("grey",)),
            identify=lambda token: cached.identify(token, datetime.now(UTC)),
            max_bytes=LIMIT,
            hosts=("studio.example",),
        )
        place, self.address = listening(Address(host="127.0.0.1", port=0))
        app = application(CollectorRegistry(), lambda: {"ready": True}, [Mount(PATH, app=site(page))])
        self.server = http_server(app)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.server.serve(sockets=[place])), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join()
        self.database.close()

    def token(self, user: str, *roles: Role) -> str:
        issued = issue(user, frozenset(roles), now=datetime.now(UTC))
        self.tokens.add(issued.record)
        return issued.token

    def visitor(self, user: str, *roles: Role) -> "Visitor":
        """Somebody who is logged in."""
        visitor = Visitor(self)
        answer = visitor.log_in(self.token(user, *roles))
        assert answer.status == 303, answer.text
        return visitor

    def work(self, **found: Any) -> None:
        Worker(
            ImageryQueue(self.database), self.blobs, GreyStudio(steps=1, found=found), Habits(name="one", once=True), threading.Event()
        ).run()  # fmt: skip


@dataclass
class Visitor:
    """A browser's cookies and headers, and nothing more."""

    house: House
    cookie: str = ""

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.house.address.port, timeout=60)
        sent = {"Host": f"127.0.0.1:{self.house.address.port}"} | (
            {"Cookie": self.cookie} if self.cookie else {}
        )
        connection.request(method, f"{PATH}/{path}", body or None, {**sent, **(headers or {})})
        response = connection.getresponse()
        answer = Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
        connection.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def get(self, path: str = "") -> Answer:
        return self.ask("GET", path)

    def log_in(self, token: str) -> Answer:
        return self.post("login", token=token, form_key="")

    def post(self, path: str, **fields: str) -> Answer:
        return self.send(path, fields)

    def send(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        keyed = {"form_key": self.form_key} | dict(fields) if "form_key" not in fields else dict(fields)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(keyed).encode(), {**kind, **(headers or {})})

    @property
    def form_key(self) -> str:
        found = _KEY.search(self.get().text)
        return found[1] if found else ""

    def order(
        self, data: bytes | None = None, *, style: bytes | None = None, **changed: str | list[str]
    ) -> Answer:
        fields: dict[str, str | list[str]] = {
            "form_key": self.form_key, "scene": "white marble", "rules": ["square", "bright"], "generator": "grey",
            "side": "256", "count": "2", "seed": "100",
        }  # fmt: skip
        files = {"photo": photo() if data is None else data} | ({} if style is None else {"style": style})
        body = multipart(fields | changed, files)
        return self.ask("POST", "jobs", body, {"Content-Type": "multipart/form-data; boundary=edge"})

    def made(self) -> str:
        """The path of an order that was carried out."""
        placed = self.order()
        assert placed.status == 303, placed.text
        self.house.work()
        return placed.place.removeprefix(f"{PATH}/")


def multipart(fields: Mapping[str, str | list[str]], files: Mapping[str, bytes]) -> bytes:
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, values in fields.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    parts += [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    return b"".join(parts) + b"--edge--\r\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.close()


@pytest.fixture
def kim(house: House) -> Visitor:
    return house.visitor("kim", Role.DESIGN)


@pytest.fixture
def ada(house: House) -> Visitor:
    return house.visitor("ada", Role.REVIEW)


# --- who gets in


def test_who_is_not_logged_in_is_shown_the_login_and_nothing_else(house: House, kim: Visitor) -> None:
    path, stranger = kim.made(), Visitor(house)
    for wanted in ("", path, f"{path}/photo", f"{path}/1/master.png", f"{path}/live"):
        answer = stranger.get(wanted)
        assert (answer.status, answer.place) == (303, f"{PATH}/login")
        assert answer.body == b""
    assert stranger.post(f"{path}/1/propose").place == f"{PATH}/login"
    assert "Your token" in stranger.get("login").text


def test_a_token_opens_the_page_with_a_cookie_that_scripts_and_other_sites_do_not_get(house: House) -> None:
    visitor = Visitor(house)
    answer = visitor.log_in(house.token("kim", Role.DESIGN))
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/imagery" in cookie
    assert visitor.get().status == 200


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("", "expected a token"),
        ("loupe_wrong", "expected a token loupe_ID_SECRET"),
        ("line", "design or review"),
    ],
)
def test_no_token_a_wrong_one_and_one_without_the_role_are_told_why(
    house: House, shown: str, words: str
) -> None:
    token = house.token("line-1", Role.INSPECT) if shown == "line" else shown
    answer = Visitor(house).log_in(token)
    assert answer.status == 403
    assert words in answer.text


def test_a_revoked_token_opens_nothing_from_the_next_request_on(house: House) -> None:
    token = house.token("kim", Role.DESIGN)
    visitor = Visitor(house)
    visitor.log_in(token)
    assert visitor.get().status == 200
    house.tokens.revoke(token.split("_")[1], datetime.now(UTC))

    time.sleep(5.1)  # as long as tokens are remembered
    assert visitor.get().place == f"{PATH}/login"


def test_who_logs_out_is_out(kim: Visitor) -> None:
    kept = kim.cookie
    assert kim.post("logout").place == f"{PATH}/login"
    kim.cookie = kept
    assert kim.get().place == f"{PATH}/login"


# --- what a browser is told


def test_every_answer_forbids_what_the_page_does_not_need(kim: Visitor) -> None:
    path = kim.made()
    for wanted in (
        "",
        "login",
        path,
        f"{path}/live",
        f"{path}/photo",
        f"{path}/1/preview.jpg",
        "page.js",
        "page.css",
        "nowhere",
    ):
        answer = kim.get(wanted)
        if wanted == "nowhere":
            assert answer.status == 404
            continue
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'name="mask" accept="image/png"' in kim.get().text  # what else is a mask is refused
    assert "http" not in kim.get().text.replace("http://www.w3.org", "")
    assert not re.search(r"<script(?! src)|\son\w+=|style=", kim.get(path).text)


def test_a_page_of_another_site_cannot_call_it_by_a_name_of_its_own(kim: Visitor) -> None:
    assert kim.ask("GET", "", headers={"Host": "evil.example"}).status == 400
    assert kim.ask("GET", "", headers={"Host": "studio.example"}).status == 200


# --- forms


def test_a_form_without_the_sessions_key_does_nothing(house: House, kim: Visitor, ada: Visitor) -> None:
    path = kim.made()
    for form_key in ("", "guessed", ada.form_key):
        answer = kim.post(f"{path}/1/propose", form_key=form_key)
        assert answer.status == 403
        assert "a form of another page or session" in answer.text
    assert house.events.of(path.split("/")[1])[-1][1].act is Act.CHECK


def test_a_form_from_another_site_does_nothing(kim: Visitor) -> None:
    path = kim.made()
    answer = kim.send(f"{path}/1/propose", {}, {"Origin": "https://evil.example"})
    assert answer.status == 403
    assert "a form of another site" in answer.text
    own = {"Origin": f"http://127.0.0.1:{kim.house.address.port}"}
    assert kim.send(f"{path}/1/propose", {}, own).status == 303


def test_a_form_that_is_too_large_or_of_no_known_size_is_not_read(kim: Visitor) -> None:
    answer = kim.order(data=b"x" * (4 * LIMIT))
    assert answer.status == 400
    assert "form: expected at most" in answer.text
    key = kim.form_key
    connection = http.client.HTTPConnection("127.0.0.1", kim.house.address.port, timeout=60)
    sent = {"Cookie": kim.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request(
        "POST", f"{PATH}/logout", iter([f"form_key={key}".encode()]), sent, encode_chunked=True
    )
    assert connection.getresponse().status == 400
    connection.close()


def test_an_order_is_placed_by_the_form_and_shown(house: House, kim: Visitor) -> None:
    answer = kim.order(
        name="a mug <b>", scene="白色大理石桌面", light="left", horizon="0.6", policy="cn", waiver="no text"
    )
    assert answer.status == 303

    (job,) = house.jobs.all(Wanted())
    assert answer.place == f"{PATH}/jobs/{job.id}"
    assert (job.requester, job.name, job.generator) == ("kim", "a mug <b>", "grey")
    assert job.brief["layout"] == {"horizon": 0.6, "light": "left"}
    assert (job.brief["rules"], job.brief["count"], job.brief["size_wh"]) == (
        ["square", "bright"],
        2,
        [256, 256],
    )
    page = kim.get(f"jobs/{job.id}").text
    assert "a mug &lt;b&gt;" in page
    assert "白色大理石桌面" in page
    assert "waiting for a worker" in page
    assert "without the visible label" in page
    assert job.id in kim.get().text


def test_a_style_picture_may_stand_for_the_words_and_is_shown_with_the_order(
    house: House, kim: Visitor
) -> None:
    style = photo(seed=9, side=80)
    answer = kim.order(scene="", style=style)
    assert answer.status == 303, answer.text

    (job,) = house.jobs.all(Wanted())
    assert job.style_sha256 == job.brief["style"]
    page = kim.get(f"jobs/{job.id}").text
    assert f'src="/imagery/jobs/{job.id}/style"' in page
    assert "as in the style picture" in page
    shown = kim.get(f"jobs/{job.id}/style")
    assert (shown.status, shown.body) == (200, style)
    plain = kim.order().place.removeprefix(f"{PATH}/")
    assert kim.get(f"{plain}/style").status == 404
    assert "/style" not in kim.get(plain).text


def test_an_order_without_words_and_without_a_style_picture_is_told_what_is_missing(kim: Visitor) -> None:
    answer = kim.order(scene="")
    assert answer.status == 400
    assert "expected words or a style picture, found neither" in answer.text
    refused = kim.order(scene="plain-white", style=photo(side=80))
    assert refused.status == 400
    assert "expected a scene with a look to a style picture" in refused.text


def test_the_same_form_sent_twice_is_one_order(house: House, kim: Visitor) -> None:
    first = kim.order(request_id="once")
    again = kim.order(request_id="once")
    assert first.place == again.place
    assert len(house.jobs.all(Wanted())) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scene": ""}, "scene: "),
        ({"scene": "a\tb"}, "expected words on one line"),
        ({"rules": []}, "rules: "),
        ({"rules": ["round"]}, "found &#39;round&#39;"),
        ({"count": "many"}, "count: "),
        ({"count": "99"}, "count: "),
        ({"side": "100000"}, "size_wh"),
        ({"horizon": "2"}, "layout.horizon"),
        ({"name": "x" * 300}, "name: expected at most 200"),
        ({"waiver": "no text"}, "no explicit label"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_told_by_its_field(
    house: House, kim: Visitor, changed: dict[str, Any], words: str
) -> None:
    answer = kim.order(**changed)
    assert answer.status == 400
    assert words in answer.text
    assert house.jobs.all(Wanted()) == []


def test_a_photo_that_is_none_is_refused(house: House, kim: Visitor) -> None:
    for data in (b"", b"<svg onload=alert(1)>"):
        answer = kim.order(data=data)
        assert answer.status == 400
        assert "photo: expected" in answer.text
    assert house.jobs.all(Wanted()) == []


# --- what is shown


def test_a_made_order_shows_its_pictures_reports_and_facts(kim: Visitor) -> None:
    path = kim.made()
    page = kim.get(path).text
    assert page.count('class="card"') == 2
    assert 'class="state pass">pass</span> square' in page
    assert "all of it" in page
    for picture, size_wh in (
        ("preview.jpg", (256, 256)),
        ("master.png", (256, 256)),
        ("difference.png", (256, 256)),
        ("cutout.png", (40, 40)),
    ):
        answer = kim.get(f"{path}/1/{picture}")
        assert decode(answer.body).size_wh == size_wh
        assert answer.headers["content-type"] == ("image/jpeg" if picture.endswith("jpg") else "image/png")
    assert kim.get(f"{path}/photo").body == photo()


def test_what_is_not_there_is_a_page_that_says_so(kim: Visitor) -> None:
    path = kim.made()
    for wanted in (
        "jobs/nowhere",
        f"{path}/9/preview.jpg",
        f"{path}/1/other.png",
        f"{path}/progress.jpg",
        "jobs/nowhere/live",
    ):
        answer = kim.get(wanted)
        assert answer.status == 404
        assert "Nothing here" in answer.text
    assert kim.post(f"{path}/1/applaud").status == 404


def test_what_changes_is_told_once_it_has(house: House, kim: Visitor) -> None:
    path = kim.order().place.removeprefix(f"{PATH}/")
    first = kim.get(f"{path}/live").text
    seen = re.search(r'data-revision="(\d+)"', first)
    assert seen is not None
    assert kim.get(f"{path}/live?seen={seen[1]}").status == 204
    house.work()
    after = kim.get(f"{path}/live?seen={seen[1]}")
    assert after.status == 200
    assert 'data-ended="yes"' in after.text
    assert "<html" not in after.text


def test_a_running_order_is_stopped_by_its_button(house: House, kim: Visitor) -> None:
    path = kim.order().place.removeprefix(f"{PATH}/")
    assert "Stop this order" in kim.get(path).text
    assert kim.post(f"{path}/cancel").status == 303
    page = kim.get(path).text
    assert "cancelled" in page
    assert "by kim" in page
    assert "Stop this order" not in page


def test_an_order_whose_worker_has_gone_silent_says_so(house: House, kim: Visitor) -> None:
    path = kim.order().place.removeprefix(f"{PATH}/")
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    ImageryQueue(house.database).take(worker="gone", device="cpu", now=long_ago, lease=timedelta(seconds=30))
    page = kim.get(path).text
    assert "by worker gone, which has gone silent" in page
    house.work()
    assert "silent" not in kim.get(path).text


# --- people


def test_from_proposal_to_file_each_sees_the_buttons_that_are_theirs(
    house: House, kim: Visitor, ada: Visitor
) -> None:
    path = kim.made()
    assert "Propose for review" in kim.get(path).text
    assert "Propose for review" not in ada.get(path).text
    assert path not in ada.get("?show=review").text

    assert kim.post(f"{path}/1/propose", reason="the best of them").status == 303
    assert path in ada.get("?show=review").text
    page = ada.get(path).text
    assert "the best of them" in page
    assert "Approve" in page
    assert "Approve" not in kim.get(path).text

    assert ada.post(f"{path}/1/approve").status == 303
    assert "approved by ada" in kim.get(path).text
    sent = kim.post(f"{path}/1/export", rule_set="square")
    assert sent.status == 200
    assert sent.headers["content-disposition"].startswith('attachment; filename="')
    assert sent.headers["content-type"] == "image/png"
    assert decode(sent.body[: sent.body.index(b"file 1")]).size_wh == (256, 256)
    assert kim.post(f"{path}/1/export", rule_set="square").body == sent.body


def test_the_requester_sees_why_there_is_no_button_to_approve(house: House, kim: Visitor) -> None:
    path = kim.made()
    kim.post(f"{path}/1/propose")
    second = house.visitor("kim", Role.DESIGN, Role.REVIEW)
    page = second.get(path).text
    assert "another user than kim, who ordered it" in page
    assert ">Approve<" not in page
    answer = second.post(f"{path}/1/approve")
    assert answer.status == 403
    assert "another user than kim" in answer.text


def test_what_the_classifiers_have_against_an_image_stands_on_its_card(
    house: House, kim: Visitor, ada: Visitor
) -> None:
    path = kim.order().place.removeprefix(f"{PATH}/")
    house.work(new_defect=True)
    assert (
        "The image shows a defect that the photo does not. To approve it takes a reason."
        in kim.get(path).text
    )
    kim.post(f"{path}/1/propose")
    refused = ada.post(f"{path}/1/approve")
    assert refused.status == 400
    assert "approve: reason: expected one" in refused.text
    assert ada.post(f"{path}/1/approve", reason="a reflection").status == 303


def test_rejecting_needs_a_reason_and_exporting_an_approval(kim: Visitor, ada: Visitor) -> None:
    path = kim.made()
    assert kim.post(f"{path}/1/export", rule_set="square").status == 409
    kim.post(f"{path}/1/propose")
    refused = ada.post(f"{path}/1/reject")
    assert refused.status == 400
    assert "reason: expected one" in refused.text
    assert ada.post(f"{path}/1/reject", reason="too dark").status == 303
    assert "too dark" in kim.get(path).text
    answer = kim.post(f"{path}/1/export", rule_set="square")
    assert answer.status == 409
    assert "expected it to be approved, found it rejected" in answer.text


def test_a_reviewer_orders_nothing(ada: Visitor) -> None:
    assert "New order" not in ada.get().text
    assert ada.order().status == 403
