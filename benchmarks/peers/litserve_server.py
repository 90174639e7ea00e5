"""LitServe: decoding in `decode_request`, the model in `predict`, batches by `max_batch_size` and `batch_timeout`."""
# mypy: disable-error-code="import-not-found,misc,untyped-decorator,no-any-unimported"
# LitServe is in an environment of its own

from typing import Annotated

import litserve
from fastapi import Body

from benchmarks.peers.work import MAX_BATCH, WAIT_S, Decoder, Model, Work, answer
from vision.image import Pixels


class Judge(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002  (LitServe's signature)
        work = Work.told()
        self.decode, self.model = Decoder(work), Model(work)

    def decode_request(self, request: Annotated[bytes, Body()]) -> Pixels:
        return self.decode(request)

    def batch(self, inputs: list[Pixels]) -> list[Pixels]:
        return inputs

    def predict(self, x: list[Pixels]) -> list[list[float]]:
        return self.model(x)

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        return output

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return answer(output)


def main() -> None:
    work = Work.told()
    server = litserve.LitServer(
        Judge(max_batch_size=MAX_BATCH, batch_timeout=WAIT_S),
        accelerator="cpu",
        workers_per_device=work.workers,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=work.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
