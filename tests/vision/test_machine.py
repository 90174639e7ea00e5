"""A machine is told apart by all that a speed measurement depends on, and by nothing else."""

import dataclasses
import os
from pathlib import Path
from typing import Final

import pytest

from vision.machine import Machine, this_machine

PLAIN: Final = Machine(cpu="Example 9000", flags=frozenset({"fpu", "avx2"}), cores=4)


@pytest.mark.parametrize(
    ("flags", "vnni", "bf16"),
    [
        (set(), False, False),
        ({"avx512f", "avx512bw"}, False, False),
        ({"avx512_vnni"}, True, False),
        ({"avx_vnni"}, True, False),
        ({"amx_int8", "amx_bf16"}, True, True),
        ({"asimddp"}, True, False),  # arm64 dot product
        ({"i8mm"}, True, False),
        ({"avx512_bf16"}, False, True),
    ],
)
def test_instruction_sets_are_read_from_the_flags(flags: set[str], vnni: bool, bf16: bool) -> None:
    machine = dataclasses.replace(PLAIN, flags=frozenset(flags))
    assert (machine.has_vnni, machine.has_bf16) == (vnni, bf16)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(PLAIN, cpu="Example 9001"),
        dataclasses.replace(PLAIN, cores=5),
        dataclasses.replace(PLAIN, flags=frozenset({"fpu"})),
    ],
)
def test_another_processor_has_another_fingerprint(other: Machine) -> None:
    assert other.fingerprint() != PLAIN.fingerprint()


def test_the_same_processor_has_the_same_fingerprint() -> None:
    again = Machine(cpu="Example 9000", flags=frozenset(["avx2", "fpu"]), cores=4)
    assert again.fingerprint() == PLAIN.fingerprint()
    assert len(PLAIN.fingerprint()) == 16


def test_this_machine_is_described_alike_each_time() -> None:
    machine = this_machine()
    assert machine == this_machine()
    assert machine.cpu


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to a core"
)
def test_only_the_cores_given_to_the_process_count() -> None:
    given = os.sched_getaffinity(0)
    assert this_machine().cores == len(given)
    os.sched_setaffinity(0, {min(given)})
    try:
        assert this_machine().cores == 1
    finally:
        os.sched_setaffinity(0, given)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="this system has no /proc/cpuinfo")
def test_flags_are_those_of_the_kernel() -> None:
    text = Path("/proc/cpuinfo").read_text()
    assert this_machine().flags
    assert all(flag in text for flag in this_machine().flags)
