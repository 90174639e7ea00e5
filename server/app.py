"""The composition root: everything a server is made of, put together once, run, and taken apart in order.

`serve` returns when it was told to stop (SIGTERM, SIGINT) and everything in flight is answered.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

import structlog
from starlette.routing import BaseRoute

from server.atelier import Atelier, open_atelier, page_of
from server.auth import ANONYMOUS
from server.config import Config, bundle_trust, check_exposure
from server.decoding import DecodePool
from server.fleet import Fleet
from server.http import application, http_server, listening
from server.inspecting import Inspecting
from server.loading import Opening
from server.metrics import Metrics
from server.models import Models
from server.ratelimit import RateLimit
from server.records import Records
from server.reviewing import Reviewing
from server.rpc.calls import Calls
from server.rpc.catalog import CatalogRpc
from server.rpc.fleet import FleetRpc
from server.rpc.front import Front, Handlers
from server.rpc.imagery import ImageryRpc
from server.rpc.inspection import InspectionRpc, InspectionServices
from server.rpc.models import ModelRpc
from server.rpc.open_inference import OpenInferenceRpc
from server.rpc.verdicts import Verdicts
from server.shop import Shop, keep_fresh, open_shop
from server.storage.audit import AuditLog
from server.storage.blobs import Blobs, open_blobs
from server.storage.database import Database, open_database
from server.storage.dispositions import Dispositions
from server.storage.results import Results
from server.storage.retention import sweep
from server.storage.stations import Stations
from server.storage.tokens import DatabaseTokens
from server.storage.writer import Writer
from server.token_cache import CachedTokens
from server.tracing import exporting
from vision.address import Address
from vision.errors import StorageError
from vision.image import ImageLimits
from vision.machine import this_machine
from vision.settings import Settings

_WRITER_CAPACITY: Final = 1024
_SWEEP_EVERY_S: Final = 3600.0
_LOG: Final = structlog.get_logger("server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where a server that takes calls can be reached, and what it serves."""

    listen: Address
    http: Address | None
    models: tuple[str, ...]
    failures: dict[str, str]


async def serve(config: Config, settings: Settings, *, ready: Callable[[Ready], None]) -> None:
    """Run until told to stop.

    Args:
        ready: called once calls are taken.

    Raises:
        SettingsError: the configuration would let strangers in, or an address or file of it cannot be used.
        StorageError: the database cannot be opened.
    """
    check_exposure(config)
    stopping = _stop_on_signals()
    with exporting(config.traces.endpoint, share=config.traces.share):
        await _serve(config, settings, stopping, ready)


async def _serve(
    config: Config, settings: Settings, stopping: asyncio.Event, ready: Callable[[Ready], None]
) -> None:
    async with _storage(config) as (database, blobs, writer):
        metrics = Metrics()
        pool = DecodePool(this_machine().cores)
        models = Models(config.models, _opening(config, settings))
        records = Records(
            writer, Results(database), blobs, metrics,
            keep_images=config.storage.keep_images, audit_share=config.storage.audit_share,
        )  # fmt: skip
        fleet = Fleet(Stations(database), metrics)
        await fleet.recall()
        limits = ImageLimits(
            max_bytes=config.limits.max_message_mib * 2**20, max_pixels=config.limits.max_pixels
        )
        inspecting, verdicts = Inspecting(pool, limits), Verdicts(records, metrics)
        shop = open_shop(config.catalog, database, models, pool, limits, inspecting, verdicts, metrics)
        atelier = open_atelier(config.imagery, database, limits)
        tokens = CachedTokens(DatabaseTokens(database))
        front = Front(
            config,
            _calls(config, database, tokens, metrics),
            Handlers(
                inspection=InspectionRpc(
                    _inspection(config, database, models, inspecting, records, verdicts)
                ),
                catalog=CatalogRpc(shop.services),
                models=ModelRpc(models),
                fleet=FleetRpc(fleet),
                imagery=ImageryRpc(atelier.services),
                open_inference=OpenInferenceRpc(
                    models, inspecting, shop.services.cataloguing, version=version("loupe")
                ),
            ),
        )
        metrics.watch_inside(lambda: {model.name: model.batcher.inside for model in models.served()})
        models.attempted = lambda error: metrics.load(succeeded=error is None)
        await models.load_all()
        await shop.open_indexes()
        background: set[asyncio.Task[Any]] = set()
        others = asyncio.Event()

        def changed(name: str) -> None:
            others.set()
            _spawn(background, shop.tidy_indexes())
            _spawn(background, front.set_health(name, serving=name in models))

        models.changed = changed
        served = tuple(model.name for model in models.served())
        await front.start(served)

        def health() -> dict[str, Any]:
            return {
                "ready": not stopping.is_set(),
                "degraded": records.degraded,
                "models": [model.name for model in models.served()],
                "failed": dict(models.failures),
            }

        async with (
            _http(config, metrics, health, page_of(config, atelier, tokens, limits)) as http,
            _beside(_sweeping(config, database, blobs, shop, atelier)),
            _beside(keep_fresh(shop, others)),
        ):
            ready(Ready(listen=front.address, http=http, models=served, failures=dict(models.failures)))
            await stopping.wait()
            await front.drain()
        await models.close()
        await shop.indexing.close()
        fleet.close()
        atelier.close()
        pool.close()


def _stop_on_signals() -> asyncio.Event:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _spawn(kept: set[asyncio.Task[Any]], work: Any) -> None:
    """Run beside the rest; kept, since the loop alone does not hold on to it."""
    task = asyncio.get_running_loop().create_task(work)
    kept.add(task)
    task.add_done_callback(kept.discard)


@asynccontextmanager
async def _storage(config: Config) -> AsyncIterator[tuple[Database, Blobs, Writer]]:
    database = await asyncio.to_thread(open_database, config.storage.database)
    writer = Writer(database, _WRITER_CAPACITY)
    try:
        yield database, open_blobs(config.storage.blobs), writer
    finally:
        await writer.close()
        database.close()


def _opening(config: Config, settings: Settings) -> Opening:
    trusted, required = bundle_trust(config, settings)
    return Opening(
        trusted=trusted,
        require_signature=required,
        max_batch=config.limits.max_batch,
        max_waiting=config.limits.max_waiting,
        drift_alpha=config.line.drift_alpha,
        on_drift=config.line.on_drift,
    )


def _calls(config: Config, database: Database, tokens: CachedTokens, metrics: Metrics) -> Calls:
    rate = config.limits.rate_per_s
    limit = RateLimit(rate_per_s=rate, burst=config.limits.burst) if rate is not None else None
    log = AuditLog(database)
    anonymous = None if config.auth_required else ANONYMOUS
    return Calls(
        identify=lambda token: tokens.identify(token, datetime.now(UTC), anonymous=anonymous),
        wait_s=limit.take if limit is not None else lambda _: 0.0,
        metrics=metrics,
        default_deadline_s=config.default_deadline_s,
        audit=lambda by, action, detail: asyncio.to_thread(log.note, by, action, detail),
        certificates=config.auth.certificates,
    )


def _inspection(
    config: Config,
    database: Database,
    models: Models,
    inspecting: Inspecting,
    records: Records,
    verdicts: Verdicts,
) -> InspectionServices:
    reviewing = Reviewing(
        models,
        Results(database),
        Dispositions(database),
        kept_for=timedelta(days=config.storage.max_age_days),
    )
    return InspectionServices(
        models=models,
        inspecting=inspecting,
        records=records,
        reviewing=reviewing,
        verdicts=verdicts,
        reject_unjudged=config.line.without_model == "reject",
    )


@asynccontextmanager
async def _http(
    config: Config, metrics: Metrics, health: Callable[[], dict[str, Any]], page: Sequence[BaseRoute]
) -> AsyncIterator[Address | None]:
    """Health, metrics and the designers' page while the block runs; gives where they are."""
    if config.http is None:
        yield None
        return
    place, address = listening(config.http)
    server = http_server(application(metrics.registry, health, page))
    running = asyncio.create_task(server.serve(sockets=[place]))
    try:
        yield address
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something while the block runs."""
    running = asyncio.create_task(work)
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _sweeping(config: Config, database: Database, blobs: Blobs, shop: Shop, atelier: Atelier) -> None:
    """Keep results and pictures within their age and bytes, now and then, until it is cancelled."""
    while True:
        try:
            now, max_age = datetime.now(UTC), timedelta(days=config.storage.max_age_days)
            done = await asyncio.to_thread(
                sweep, database, blobs, now=now, max_age=max_age, max_bytes=config.storage.max_bytes
            )
            _LOG.info(
                "swept", done=done, catalog=await shop.sweep(now, max_age), imagery=await atelier.sweep(now)
            )
        except StorageError as error:  # tried again next time
            _LOG.warning("not swept", why=str(error))
        await asyncio.sleep(_SWEEP_EVERY_S)
