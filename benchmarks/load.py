"""The load generator: one process on one core, apart from the server that it loads.

Takes a `benchmarks.generator.Plan` as JSON on stdin, gives what came of it as JSON on stdout. Started by `benchmarks.generator.generate`.
"""

import asyncio
import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import numpy as np

from benchmarks.generator import OK, Call, Plan
from benchmarks.processes import Tree
from vision.v1 import catalog_pb2, catalog_pb2_grpc, inspection_pb2, inspection_pb2_grpc

Ask = Callable[[int], Awaitable[tuple[str, int]]]  # over a connection: the code, and the batch of the answer

_SAMPLES = 200  # of memory, at most
_SHORTEST_SAMPLE_S = 0.25
_LONGEST_CALL_S = 60.0


@dataclass(slots=True)
class Record:
    """What is written down while the load runs; `zero` is when the measured window begins."""

    zero: float
    calls: list[Call] = field(default_factory=list)
    cpu_s: float = 0.0
    watched_cpu_s: float = 0.0
    resident_mib: list[float] = field(default_factory=list)

    def now(self) -> float:
        return time.perf_counter() - self.zero

    async def call(self, ask: Ask, connection: int, due_s: float) -> None:
        sent = self.now()
        code, batch = await ask(connection)
        self.calls.append(Call(due_s, sent, self.now(), code, batch))


def main() -> None:
    plan = Plan(**json.load(sys.stdin))
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # before any thread is started: all of them stay there
    record = asyncio.run(run(plan))
    found = {
        "core": core,
        "calls": [astuple(one) for one in sorted(record.calls, key=lambda one: one.due_s)],
        "cpu_s": record.cpu_s,
        "watched_cpu_s": record.watched_cpu_s,
        "resident_mib": record.resident_mib,
    }
    json.dump(found, sys.stdout)


async def run(plan: Plan) -> Record:
    pictures = _pictures(Path(plan.image).read_bytes())
    async with (_http if plan.http else _grpc)(plan, pictures) as ask:
        record = Record(time.perf_counter() + plan.warm_s)
        watching = asyncio.create_task(_watch(plan, record))
        await (_poisson if plan.rate else _clients)(plan, record, ask)
        await watching
    return record


def _pictures(jpeg: bytes) -> Iterator[bytes]:
    """The JPEG again and again, each time with another comment: no two files of a real line are the same, and stores know the same by its digest."""
    for number in itertools.count():
        yield jpeg[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + jpeg[2:]


async def _clients(plan: Plan, record: Record, ask: Ask) -> None:
    """Each sends, waits for the answer, and sends again."""

    async def client(connection: int) -> None:
        while (due := record.now()) < plan.seconds:
            await record.call(ask, connection, due)
            if plan.gap_s:
                await asyncio.sleep(plan.gap_s)

    await asyncio.gather(*map(client, range(plan.clients)))


async def _poisson(plan: Plan, record: Record, ask: Ask) -> None:
    """Requests at their times, however many are under way."""
    rng, calls, due = np.random.default_rng(plan.seed), [], -plan.warm_s
    for connection in itertools.cycle(range(plan.connections)):
        due += float(rng.exponential(1 / plan.rate))
        if due >= plan.seconds:
            break
        if (ahead := due - record.now()) > 0:
            await asyncio.sleep(ahead)
        calls.append(asyncio.create_task(record.call(ask, connection, due)))
    await asyncio.gather(*calls)


async def _watch(plan: Plan, record: Record) -> None:
    """CPU over the measured window, memory through it."""
    tree = Tree.of(plan.watch) if plan.watch is not None else Tree(())
    await asyncio.sleep(-record.now())
    own, theirs = time.process_time(), tree.cpu_s()
    pause = max(_SHORTEST_SAMPLE_S, plan.seconds / _SAMPLES)
    while (left := plan.seconds - record.now()) > 0:
        record.resident_mib.append(tree.resident_mib())
        await asyncio.sleep(min(pause, left))
    record.cpu_s, record.watched_cpu_s = time.process_time() - own, tree.cpu_s() - theirs


@asynccontextmanager
async def _grpc(plan: Plan, pictures: Iterator[bytes]) -> AsyncIterator[Ask]:
    """`InspectionService.Inspect`, or with a title `CatalogService.Categorize`, over connections of their own."""
    count = plan.connections if plan.rate else plan.clients
    # without this gRPC would put all channels to one address on one connection
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(plan.target, options=options) for _ in range(count)]
    inspecting = [inspection_pb2_grpc.InspectionServiceStub(one) for one in channels]  # type: ignore[no-untyped-call]  # generated
    placing = [catalog_pb2_grpc.CatalogServiceStub(one) for one in channels]  # type: ignore[no-untyped-call]  # generated

    async def answered(connection: int) -> Any:
        request_id = uuid.uuid4().hex if plan.request_ids else ""
        if plan.title:
            product = catalog_pb2.Product(photos=[next(pictures)], title=plan.title)
            placed = catalog_pb2.CategorizeRequest(product=product, request_id=request_id)
            return await placing[connection].Categorize(placed, timeout=plan.deadline_s)
        request = inspection_pb2.InspectRequest(image=next(pictures), request_id=request_id)
        return await inspecting[connection].Inspect(request, timeout=plan.deadline_s)

    async def ask(connection: int) -> tuple[str, int]:
        try:
            answer = await answered(connection)
        except grpc.aio.AioRpcError as error:
            return error.code().name, 0
        return OK, answer.timings.batch

    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        yield ask
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


@asynccontextmanager
async def _http(plan: Plan, pictures: Iterator[bytes]) -> AsyncIterator[Ask]:
    """A picture as a POST's body, over as many kept-alive connections as there are requests under way."""
    timeout = aiohttp.ClientTimeout(total=plan.deadline_s or _LONGEST_CALL_S)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout, headers={"Content-Type": "image/jpeg"}
    ) as session:

        async def ask(_: int) -> tuple[str, int]:
            try:
                async with session.post(plan.target, data=next(pictures)) as response:
                    await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                return type(error).__name__, 0
            return (OK if response.status == 200 else str(response.status)), 0

        yield ask


if __name__ == "__main__":
    main()
