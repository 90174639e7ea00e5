"""When a station's parts must be decided, and what happens to those that are not. Values only."""

from dataclasses import dataclass

from vision.inspection.policy import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a part must be decided, and what happens to one that is not.

    Attributes:
        due_s: from the trigger to the gate; with an encoder, the longest that a part may be on its way.
        due_counts: from the trigger to the gate in the encoder's counts, where there is one, read every `encoder_poll_s`.
        lead_s: a decision must be there so long before the part is; then the fail-safe output is chosen.
        late_s: an output driven later than this after the part was due is late, and no verdict.
        drive_s: an output that the device has not taken after this long has failed.
        beat_s: between heartbeats.
        max_parts: between trigger and gate at once; one more is a fault.
        counter_modulo: where the trigger's counter begins anew; absent: never.
        counter_lasts: whether the counter goes on while no program runs, as a PLC's does and a camera's frame ids do not.
    """

    due_s: float
    fail_safe: Decision
    due_counts: int = 0
    encoder_poll_s: float = 0.005
    lead_s: float = 0.01
    late_s: float = 0.01
    drive_s: float = 0.1
    beat_s: float = 0.5
    max_parts: int = 64
    counter_modulo: int | None = None
    counter_lasts: bool = True
