"""Ray Serve: a deployment that decodes in threads and batches with `serve.batch`."""
# mypy: disable-error-code="import-not-found,misc,attr-defined,untyped-decorator,no-any-unimported"
# Ray is in an environment of its own

import asyncio
import signal

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from starlette.requests import Request

from benchmarks.peers.work import MAX_BATCH, WAIT_S, Decoder, Model, Work, answer
from vision.image import Pixels


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 0})
class Judge:
    def __init__(self, work: Work) -> None:
        self.decode, self.model = Decoder(work), Model(work)

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=WAIT_S)
    async def judge(self, pictures: list[Pixels]) -> list[dict[str, list[float]]]:
        return [answer(one) for one in await asyncio.to_thread(self.model, pictures)]

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        data = await request.body()
        picture = await asyncio.to_thread(self.decode, data)
        found: dict[str, list[float]] = await self.judge(picture)
        return found


def main() -> None:
    work = Work.told()
    ray.init(include_dashboard=False, configure_logging=False, log_to_driver=False)
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=work.port))
    serve.run(Judge.options(num_replicas=work.workers).bind(work), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
