"""The gRPC server: every service on one port, behind one interceptor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from server.config import Config, Tls
from server.rpc.calls import Calls
from server.rpc.catalog import CatalogRpc
from server.rpc.fleet import FleetRpc
from server.rpc.imagery import ImageryRpc
from server.rpc.inspection import InspectionRpc
from server.rpc.models import ModelRpc
from server.rpc.open_inference import OpenInferenceRpc
from vision.address import Address
from vision.errors import SettingsError
from vision.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    fleet_pb2,
    fleet_pb2_grpc,
    imagery_pb2,
    imagery_pb2_grpc,
    inspection_pb2,
    inspection_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    open_inference_pb2,
    open_inference_pb2_grpc,
)

_SERVICES: Final = (
    inspection_pb2.DESCRIPTOR.services_by_name["InspectionService"].full_name,
    catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
    models_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    fleet_pb2.DESCRIPTOR.services_by_name["FleetService"].full_name,
    imagery_pb2.DESCRIPTOR.services_by_name["ImageryService"].full_name,
    open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
)
_HEADROOM: Final = 64 * 1024  # beside the picture: a picture of exactly the largest size still fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What answers the calls."""

    inspection: InspectionRpc
    catalog: CatalogRpc
    models: ModelRpc
    fleet: FleetRpc
    imagery: ImageryRpc
    open_inference: OpenInferenceRpc


class Front:
    """The listening side.

    Raises:
        SettingsError: the address is taken, or the TLS files cannot be used.
    """

    def __init__(self, config: Config, calls: Calls, handlers: Handlers) -> None:
        self._health = health.aio.HealthServicer()
        self._drain_s = config.drain_s
        self._server = grpc.aio.server(interceptors=[calls], options=_options(config))
        inspection_pb2_grpc.add_InspectionServiceServicer_to_server(handlers.inspection, self._server)  # type: ignore[no-untyped-call]  # generated
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(handlers.catalog, self._server)  # type: ignore[no-untyped-call]  # generated
        models_pb2_grpc.add_ModelServiceServicer_to_server(handlers.models, self._server)  # type: ignore[no-untyped-call]  # generated
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(handlers.fleet, self._server)  # type: ignore[no-untyped-call]  # generated
        imagery_pb2_grpc.add_ImageryServiceServicer_to_server(handlers.imagery, self._server)  # type: ignore[no-untyped-call]  # generated
        open_inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            handlers.open_inference, self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.address = _listen(self._server, config.listen, config.tls)

    async def start(self, models: Sequence[str]) -> None:
        """Take calls; the server as a whole and each of these models are healthy from now on."""
        for name in ("", *_SERVICES, *models):
            await self.set_health(name, serving=True)
        await self._server.start()

    async def set_health(self, name: str, *, serving: bool) -> None:
        """Tell those who ask or watch about a service or a model; the empty name is the whole server."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    async def drain(self) -> None:
        """Not healthy, no new calls; those under way have the configured time to end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._drain_s)


def _options(config: Config) -> list[tuple[str, Any]]:
    limit = config.limits.max_message_mib * 2**20 + _HEADROOM
    return [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_send_message_length", limit),
        ("grpc.max_concurrent_streams", config.limits.max_concurrent_streams),
        ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a lottery
        ("grpc.keepalive_time_ms", 60_000),  # a client that vanished without a word is noticed
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),  # also where it had asked for nothing
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ]


def _listen(server: grpc.aio.Server, address: Address, tls: Tls) -> Address:
    """Bind; gives the address with the port that was taken."""
    try:
        if tls.enabled:
            port = server.add_secure_port(str(address), _credentials(tls))
        else:
            port = server.add_insecure_port(str(address))
    except (RuntimeError, OSError) as error:
        raise SettingsError(f"listen: cannot listen on {address}: {error}") from error
    return address if address.socket else Address(host=address.host, port=port)


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    if tls.certificate is None or tls.key is None:
        raise SettingsError("tls: expected certificate and key, found none")
    try:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        authority = tls.client_ca.read_bytes() if tls.client_ca else None
    except OSError as error:
        raise SettingsError(f"tls: {error.filename}: {error.strerror}") from error
    return grpc.ssl_server_credentials(
        [pair], root_certificates=authority, require_client_auth=authority is not None
    )
