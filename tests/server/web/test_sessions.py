"""A login lasts for a working day, is known by its cookie alone, and makes room."""

from server.web.sessions import LASTS_S, Sessions


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_cookie_until_it_ends() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock)
    opened = sessions.open("loupe_token")

    assert sessions.find(opened.id) is opened
    assert sessions.find("another") is None
    clock.now = LASTS_S - 1
    assert sessions.find(opened.id) is opened
    clock.now = LASTS_S
    assert sessions.find(opened.id) is None


def test_who_logs_out_is_out_and_no_two_sessions_share_anything() -> None:
    sessions = Sessions()
    one, other = sessions.open("loupe_token"), sessions.open("loupe_token")
    assert len({one.id, other.id, one.form_key, other.form_key}) == 4
    assert one.fits(one.form_key)
    assert not one.fits(other.form_key)
    assert not one.fits("é")

    sessions.close(one.id)
    assert sessions.find(one.id) is None
    assert sessions.find(other.id) is other


def test_the_oldest_session_makes_room() -> None:
    sessions = Sessions()
    opened = [sessions.open("loupe_token") for _ in range(1001)]
    assert sessions.find(opened[0].id) is None
    assert sessions.find(opened[1].id) is opened[1]


def test_a_session_shows_no_secret_when_it_is_printed() -> None:
    opened = Sessions().open("loupe_secret")
    assert "loupe_secret" not in repr(opened)
    assert opened.id not in repr(opened)
