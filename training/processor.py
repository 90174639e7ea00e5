"""Where torch computes on this machine, in which precision, and what that is called."""

from typing import Literal

import torch

from vision.machine import this_machine


def kind_here() -> Literal["cuda", "cpu"]:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision_here() -> Literal["bf16-mixed", "32-true"]:
    """bf16 where the processor or GPU computes in it, float32 elsewhere."""
    fast = torch.cuda.is_bf16_supported() if kind_here() == "cuda" else this_machine().has_bf16
    return "bf16-mixed" if fast else "32-true"


def name_of(device: torch.device) -> str:
    """The maker's name of a GPU, or of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else this_machine().cpu
