"""A network camera, simulated: H.264 over RTSP from this machine, behind a user and a password. For trials, tests and benchmarks.

    python -m edge.rig.rtsp [--port 8554]

serves rtsp://line:sesame@127.0.0.1:8554/line until it is ended, and says so. Each picture shows its number and when it was taken, as black and white
squares (`edge.rig.marks`). Needs the extra `aravis` (for PyGObject) and Debian's GStreamer (`make rig`).
"""

import argparse
import sys
import time
from importlib import import_module
from typing import Any, Final

from edge.rig.marks import SIZE_WH, Mark, drawn

USER: Final = "line"
PASSWORD: Final = "sesame"  # noqa: S105  (of a simulated camera)
PATH: Final = "/line"
RATE: Final = 25
PACKAGES: Final = "gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base, -good and -ugly"
_PIPELINE: Final = (
    "appsrc name=camera is-live=true do-timestamp=true format=time "
    f"caps=video/x-raw,format=GRAY8,width={SIZE_WH[0]},height={SIZE_WH[1]},framerate={RATE}/1 "
    f"! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={RATE} bitrate=1000 "
    "! rtph264pay name=pay0 pt=96 config-interval=1"
)


def libraries() -> tuple[Any, Any, Any]:
    """GLib, GStreamer and its RTSP server.

    Raises:
        ImportError: PyGObject is not installed.
        ValueError: one of the libraries is not, or an encoder is missing.
    """
    gi = import_module("gi")
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gst = import_module("gi.repository.Gst")
    gst.init(None)
    for element in ("appsrc", "x264enc", "rtph264pay"):
        if gst.ElementFactory.find(element) is None:
            raise ValueError(f"GStreamer has no {element}")
    return import_module("gi.repository.GLib"), gst, import_module("gi.repository.GstRtspServer")


class _Camera:
    """Pushes a picture every 1/RATE s to whoever looks."""

    def __init__(self, gst: Any) -> None:
        self._gst, self._number = gst, 0
        self._source: Any = None

    def configure(self, _factory: Any, media: Any) -> None:
        self._source = media.get_element().get_child_by_name("camera")

    def expose(self) -> bool:
        self._number += 1
        if self._source is not None:
            picture = drawn(Mark(number=self._number, taken_s=time.monotonic()))
            self._source.emit("push-buffer", self._gst.Buffer.new_wrapped(picture.tobytes()))
        return True  # again


def serve(port: int) -> None:
    """Serve until the process ends, on a free port where `port` is 0; says the address on stdout once it listens."""
    glib, gst, rtsp = libraries()
    server = rtsp.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    camera, factory = _Camera(gst), rtsp.RTSPMediaFactory.new()
    factory.set_launch(f"( {_PIPELINE} )")
    factory.set_shared(True)
    factory.connect("media-configure", camera.configure)
    _guard(server, factory, rtsp)
    server.get_mount_points().add_factory(PATH, factory)
    if not server.attach(None):
        raise OSError(f"127.0.0.1:{port}: expected a free port, found one in use")
    glib.timeout_add(1000 // RATE, camera.expose)
    sys.stdout.write(f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{server.get_bound_port()}{PATH}\n")
    sys.stdout.flush()
    glib.MainLoop().run()


def _guard(server: Any, factory: Any, rtsp: Any) -> None:
    """Let in only who knows the password."""
    token = rtsp.RTSPToken()
    token.set_string("media.factory.role", USER)
    auth = rtsp.RTSPAuth()
    auth.add_basic(rtsp.RTSPAuth.make_basic(USER, PASSWORD), token)
    server.set_auth(auth)
    permissions = rtsp.RTSPPermissions()
    for what in ("access", "construct"):
        permissions.add_permission_for_role(USER, f"media.factory.{what}", True)  # noqa: FBT003
    factory.set_permissions(permissions)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--port", type=int, default=8554)
    port = options.parse_args().port
    try:
        serve(port)
    except (ImportError, ValueError, OSError) as error:
        sys.exit(f"{error}; needs PyGObject (extra aravis) and Debian's packages {PACKAGES}")


if __name__ == "__main__":
    main()
