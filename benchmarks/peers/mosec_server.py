"""mosec: a stage of decoders and a stage with the model, the second one batched."""
# mypy: disable-error-code="import-not-found,misc,untyped-decorator,no-any-unimported"
# mosec is in an environment of its own

import sys

import mosec

from benchmarks.peers.work import MAX_BATCH, WAIT_S, Decoder, Model, Work, answer
from vision.image import Pixels


class Decoding(mosec.Worker):
    def __init__(self) -> None:
        super().__init__()
        self.decode = Decoder(Work.told())

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> Pixels:
        return self.decode(data)


class Judging(mosec.Worker):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model(Work.told())

    def forward(self, data: list[Pixels]) -> list[dict[str, list[float]]]:
        return [answer(one) for one in self.model(data)]


def main() -> None:
    work = Work.told()
    # mosec reads its own options from the command line
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(work.port), "--log-level", "warning"]
    server = mosec.Server()
    server.append_worker(Decoding, num=work.decoders)
    server.append_worker(
        Judging, num=work.workers, max_batch_size=MAX_BATCH, max_wait_time=round(1e3 * WAIT_S)
    )
    server.run()


if __name__ == "__main__":
    main()
