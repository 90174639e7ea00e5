"""A scene by a trained model goes from the order to a signed file, under a real label policy and a marketplace's real rules."""

import asyncio
import threading
from pathlib import Path

import pytest

from server.config import Imagery
from server.imagery.desk import open_desk
from server.imagery.orders import Asked, Orders
from server.imagery.reviewing import Decision, Reviewing
from server.imagery.studio import SceneStudio
from server.imagery.worker import Habits, Worker
from server.storage.blobs import Blobs
from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import AttemptEnd
from tests.goods import goods
from tests.pictures import encoded
from tests.server.imagery.parts import brief
from tests.server.imagery.test_reviewing import ADA, KIM
from vision.image import ImageLimits
from vision.imagery.brief import STUDIO
from vision.imagery.certificates import CHAIN, KEY, ROOT, generate
from vision.imagery.labels.carriers import read_labels
from vision.imagery.labels.source import SourceType
from vision.imagery.provenance import Trust, read
from vision.imagery.review import Act

pytestmark = [pytest.mark.asyncio, pytest.mark.torch]


async def test_what_is_taken_can_be_exported(database: Database, blobs: Blobs, tmp_path: Path) -> None:
    pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")
    generate(tmp_path, organisation="Test House")
    desk = open_desk(
        Imagery(signing_chain=tmp_path / CHAIN, signing_key=tmp_path / KEY, label_policy="eu-google")
    )
    jobs, events, books = ImageryJobs(database), ImageryEvents(database), ImageryBooks(database)
    reviewing = Reviewing(jobs, events, books, blobs, desk)
    mug = goods("mug", 0, 600, backdrop="white")
    asked = Asked(
        brief=brief(scene="white marble table", generator=STUDIO, rules=("google.merchant",), count=1, size_wh=(600, 600)),
        photo=mug.photo_png,
        mask=encoded(mug.alpha_hw, "PNG"),
    )  # fmt: skip

    shown, _ = await Orders(jobs, events, books, blobs, desk, ImageLimits()).place(asked, KIM)
    worker = Worker(
        ImageryQueue(database), blobs, SceneStudio(), Habits(name="one", once=True), threading.Event()
    )
    assert await asyncio.to_thread(worker.run) == {AttemptEnd.DONE: 1}
    for act, by in ((Act.PROPOSE, KIM), (Act.APPROVE, ADA)):
        await reviewing.decide(Decision(job_id=shown.job.id, number=1, act=act), by)
    sent = await reviewing.export(shown.job.id, 1, "google.merchant", KIM)

    assert sent.report["status"] != "fail"
    labels = read_labels(sent.data)
    assert (labels.source, labels.explicit) == (SourceType.TRAINED, None)
    assert read(sent.data, anchors=(tmp_path / ROOT).read_bytes()).trust is Trust.TRUSTED
