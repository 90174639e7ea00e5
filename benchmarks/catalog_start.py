"""How long an index takes from being opened to its first answer, in a process of its own.

    python -m benchmarks.catalog_start FOLDER MODEL DIMENSION

prints seconds. It imports no more than a server would.
"""

import sys
import time
from pathlib import Path

import numpy as np

from vision.catalog.search.index import ItemIndex


def main() -> None:
    folder, model, dimension = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    started = time.perf_counter()
    with ItemIndex.open(folder, model=model, dimension=dimension) as index:
        index.search(np.ones(dimension), 1)
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
