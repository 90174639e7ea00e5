"""Names of a catalog graph's inputs and outputs: what export writes and everybody else reads.

Inputs beside `image`, as far as the model has them: `text` int64 (N, L) and `attributes` int64 (N, A), zeros for none, and `no_image`
float32 (N,), 1 where the picture is a blank that nobody sent. Outputs: `embedding` (N, D), and for each level

    logits_LEVEL   (N, C)        the sum of all terms and the bias, before temperature
    subsets_LEVEL  (N, S, C)     the logits by each subset of the modalities, the empty one first, all together last, as if the others
                                 had not been given; one of which is `logits_LEVEL`
    image_LEVEL    (N, C)        the picture's term
    cam_LEVEL      (N, C, h, w)  whose mean over the map is the picture's term
    text_LEVEL     (N, L, C)     what each n-gram of the title adds
    attributes_LEVEL (N, A, C)   what each attribute adds

The terms are as they were added, so the bias is what the logits hold beside them.
"""

from collections.abc import Sequence
from typing import Final

IMAGE: Final = "image"
TEXT: Final = "text"
ATTRIBUTES: Final = "attributes"
NO_IMAGE: Final = "no_image"
EMBEDDING: Final = "embedding"


def output_names(levels: Sequence[str], modalities: Sequence[str]) -> tuple[str, ...]:
    """All outputs in the graph's order; `modalities` begin with `image`."""
    kinds = ("logits", "subsets", "image", "cam", *modalities[1:])
    return (EMBEDDING, *(f"{kind}_{level}" for level in levels for kind in kinds))
