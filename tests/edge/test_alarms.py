from edge.alarms import Calm


class Heard:
    def __init__(self) -> None:
        self.now, self.said = 0.0, list[tuple[str, str]]()
        self.alarm = Calm(lambda station, what: self.said.append((station, what)), clock=lambda: self.now)

    def at(self, moment: float, what: str, station: str = "infeed") -> None:
        self.now = moment
        self.alarm(station, what)


def test_an_alarm_that_is_new_is_said_at_once() -> None:
    heard = Heard()
    heard.at(0, "camera: unplugged")
    heard.at(1, "output: refused")
    heard.at(2, "camera: unplugged", station="outfeed")
    assert heard.said == [
        ("infeed", "camera: unplugged"),
        ("infeed", "output: refused"),
        ("outfeed", "camera: unplugged"),
    ]


def test_the_same_one_is_said_once_a_minute_with_how_often_it_was() -> None:
    heard = Heard()
    for part in range(13):
        heard.at(5.0 * part, f"camera: frame {part} again")
    assert heard.said == [
        ("infeed", "camera: frame 0 again"),
        ("infeed", "camera: frame 12 again (11 more like it before)"),
    ]


def test_texts_that_never_come_again_are_not_kept_for_ever() -> None:
    heard = Heard()
    for turn in range(5000):
        heard.at(turn / 1000, f"recipe: found {'x' * turn}")
    heard.at(6, "recipe: found ")
    assert len(heard.said) == 5001, "the first was forgotten meanwhile"


def test_what_was_not_heard_for_long_is_new() -> None:
    heard = Heard()
    heard.at(0, "camera: unplugged")
    heard.at(61, "camera: unplugged")
    assert [what for _, what in heard.said] == ["camera: unplugged"] * 2
