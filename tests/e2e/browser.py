"""A headless Chromium that stays open, told what to do over a pipe (Chrome DevTools Protocol), with every host but this one unknown."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import pytest

needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs the Debian package chromium; make rig installs it"
)
_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Page:
    """One tab."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        self._commands, self._answers, self._number = commands, answers, 0
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session: str | None = None
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def open(self, url: str) -> None:
        self._ask("Page.navigate", url=url)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def prefer(self, **features: str) -> None:
        """Media features by their names in Python, such as `prefers_color_scheme="dark"`."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self._ask("Emulation.setEmulatedMedia", features=wanted)

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector: str = "body") -> str:
        """What a reader sees there; empty where there is no such element, or it is hidden."""
        seen = f"(one => one?.checkVisibility() ? one.innerText : '')(document.querySelector({json.dumps(selector)}))"
        return str(self.evaluate(seen))

    def screenshot(self) -> bytes:
        return base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", None) is not None:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self) -> bytes:
        message = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return bytes(message)


def _pipe() -> tuple[int, int]:
    """The ends of a pipe, numbered above those that the browser wants its own to have."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


@contextmanager
def browser(profile: Path, *, language: str = "en-GB") -> Iterator[Page]:
    """A page that is open as long as the context."""
    theirs_in, commands = _pipe()
    answers, theirs_out = _pipe()
    # the protocol's pipes are descriptors 3 and 4 of the browser
    start = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        [
            "/bin/bash",
            "-c",
            start,
            "chromium",
            *_OPTIONS,
            f"--lang={language}",
            f"--accept-lang={language}",
            f"--user-data-dir={profile}",
        ],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LANGUAGE": language},
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        with open(commands, "wb") as to, open(answers, "rb") as back:  # noqa: PTH123  (descriptors, not paths)
            yield Page(to, back)
    finally:
        process.terminate()
        process.wait(30)
