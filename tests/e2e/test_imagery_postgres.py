"""Two servers and two workers on one PostgreSQL: an order placed at one is made by either worker and exported at the other, once."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.auth import Role, issue
from server.storage.database import open_database
from server.storage.tokens import DatabaseTokens
from tests.e2e.ateliers import ended, furnished, order, worker
from tests.e2e.serving import Server, serving
from tests.server.storage.postgres import Postgres, postgres_server
from vision.client import AsyncClient, Client
from vision.client.imagery_values import JobState
from vision.imagery.review import State

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as found:
        found.create("imagery")
        yield found


@pytest.fixture(scope="module")
def servers(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Each in a folder of its own; they share the database and the pictures."""
    pictures = str(tmp_path_factory.mktemp("pictures"))
    with ExitStack() as both:
        found = []
        for _ in range(2):
            folder = tmp_path_factory.mktemp("atelier")
            imagery: dict[str, Any] = {**furnished(folder), "images": pictures}
            found.append(
                both.enter_context(
                    serving(folder, imagery=imagery, storage={"database": postgres.url("imagery")})
                )
            )
        yield found[0], found[1]


def token(postgres: Postgres, user: str, role: Role) -> str:
    issued = issue(user, frozenset({role}), now=datetime.now(UTC))
    database = open_database(postgres.url("imagery"))
    DatabaseTokens(database).add(issued.record)
    database.close()
    return issued.token


@pytest.mark.asyncio
async def test_orders_are_shared_by_servers_and_workers_and_nothing_is_done_twice(
    postgres: Postgres, servers: tuple[Server, Server]
) -> None:
    here, there = servers
    kim, ada = token(postgres, "kim", Role.DESIGN), token(postgres, "ada", Role.REVIEW)
    async with AsyncClient(here.address, token=kim) as client:
        jobs = [(await client.imagery.create(order(count=2)))[0].id for _ in range(3)]
    with (
        Client(there.address, token=kim) as designer,
        Client(there.address, token=ada) as reviewer,
        Client(here.address, token=kim) as other,
    ):
        with worker(Path(here.folder), "--name", "one"), worker(Path(there.folder), "--name", "two"):
            made = [ended(designer, one) for one in jobs]
        assert [one.state for one in made] == [JobState.DONE] * 3
        for one in jobs:
            acts = sorted((event.number, event.act) for event in designer.imagery.history(one))
            assert acts == [(1, "check"), (1, "make"), (2, "check"), (2, "make")]

        designer.imagery.review(jobs[0], 1, "propose")
        reviewer.imagery.review(jobs[0], 1, "approve")
        with ThreadPoolExecutor(2) as threads:
            sent = list(threads.map(lambda client: client.imagery.export(jobs[0], 1), (designer, other)))
        assert {hashlib.sha256(one.data).hexdigest() for one in sent} == {sent[0].sha256}
        exports = [event for event in designer.imagery.history(jobs[0]) if event.act == "export"]
        assert len(exports) == 1
    async with AsyncClient(here.address, token=kim) as client:
        changes = [one async for one in client.imagery.watch(jobs[0])]
        assert [one.job.state for one in changes] == [JobState.DONE]
        assert (await client.imagery.get(jobs[0])).candidates[0].state is State.EXPORTED
        assert (await client.imagery.history(jobs[0]))[-1].act == "export"
        assert [one.id for one in await client.imagery.jobs(holding=State.EXPORTED)] == [jobs[0]]
        assert (await client.imagery.cancel(jobs[0])).state is JobState.DONE
        assert (await client.imagery.check(order().photo, ("shopify",)))[0].rule_set == "shopify"
        assert (await client.imagery.export(jobs[0], 1)).repeated
        waiting, _ = await client.imagery.create(order(count=1))
        assert (await client.imagery.cancel(waiting.id)).state is JobState.CANCELLED
        reviewed = await client.imagery.review(jobs[1], 1, "propose")
        assert reviewed.candidate.state is State.IN_REVIEW
