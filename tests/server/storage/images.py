"""Orders of images to place, made up one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from server.storage.database import Database
from server.storage.imagery_jobs import ImageryJobs, Job, Order
from server.storage.imagery_queue import ImageryQueue, Made, Work

NOON: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
LEASE: Final = timedelta(seconds=30)


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "id": uuid4().hex,
        "requester": "kim",
        "request_id": "",
        "payload_sha256": "0" * 64,
        "name": "a mug",
        "brief": {"scene": "白色大理石", "rules": ["square"]},
        "generator": "grey",
        "count": 3,
        "policy": {"name": "everywhere"},
        "photo_sha256": "a" * 64,
        "mask_sha256": None,
        "style_sha256": None,
        "created_at": NOON,
    }
    return Order(**values | changes)


def place(database: Database, **changes: Any) -> Job:
    return ImageryJobs(database).place(order(**changes))[0]


def take(queue: ImageryQueue, worker: str = "one", *, at_s: float = 0, **asked: Any) -> Work | None:
    """Take up the next order, so many seconds after noon."""
    now = NOON + timedelta(seconds=at_s)
    return queue.take(worker=worker, device="cpu", now=now, lease=LEASE, **asked)


def taken(queue: ImageryQueue, worker: str = "one", *, at_s: float = 0, **asked: Any) -> Work:
    work = take(queue, worker, at_s=at_s, **asked)
    assert work is not None
    return work


def made(digit: str = "1", **changes: Any) -> Made:
    values: dict[str, Any] = {name: digit * 64 for name in Made.__slots__ if name.endswith("sha256")}
    return Made(**values | {"manifest": "{}", "digest": digit * 64, "facts": {"quality": 1.0}} | changes)


def finish(queue: ImageryQueue, work: Work, number: int, *, spent_s: float = 2.0) -> None:
    """Make and check a candidate."""
    queue.made(work.lease, number, made(str(number)), now=NOON, spent_s=spent_s / 2)
    report = {"rule_set": "square", "version": 1, "status": "pass"}
    queue.checked(work.lease, number, [report], now=NOON, spent_s=spent_s)
