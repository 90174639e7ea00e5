"""What is known of an image that its bytes do not say: where the product is, what is written on it, whether AI made a part."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the caller knows; what is absent is estimated from the picture, or said not to be checked.

    Attributes:
        name: the file's, for its suffix and for messages.
        alpha_hw: uint8 (H, W), the product's opacity in the picture, upright and of its size.
        own_text: what can be read on the product itself; where absent, all text within the product counts as its own.
        synthetic: whether a trained model made a part of the image.
    """

    name: str | None = None
    alpha_hw: npt.NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    own_text: tuple[str, ...] | None = None
    synthetic: bool | None = None
