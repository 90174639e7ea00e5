"""What this machine is: the processor's name and instruction sets, the cores given, the load.

Read anew at each call; nothing is probed at import.
"""

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
VNNI_FLAGS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A processor as ONNX Runtime and torch see it; `flags` are the kernel's names of instruction sets."""

    cpu: str
    flags: frozenset[str]
    cores: int

    @property
    def has_vnni(self) -> bool:
        """Whether int8 dot products are one instruction; without it int8 gains little (onnxruntime#17389)."""
        return bool(self.flags & VNNI_FLAGS)

    @property
    def has_bf16(self) -> bool:
        return bool(self.flags & BF16_FLAGS)

    def fingerprint(self) -> str:
        """Short name of everything a speed measurement depends on."""
        text = "|".join([self.cpu, str(self.cores), *sorted(self.flags)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def this_machine() -> Machine:
    """Describe the machine this process may use."""
    cpu, flags = platform.processor() or platform.machine(), frozenset[str]()
    if _CPUINFO.exists():
        pairs = (line.split(":", 1) for line in _CPUINFO.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in pairs}
        cpu = fields.get("model name", cpu)
        flags = frozenset(fields.get("flags", fields.get("Features", "")).split())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cpu=cpu, flags=flags, cores=cores)
