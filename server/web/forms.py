"""What people send from the page: an order, a decision.

Takes a form's fields, gives values of `server.imagery`; what a field must be is said as the wire says it.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from server.imagery.orders import Asked
from server.imagery.reviewing import Decision
from vision.errors import InputError
from vision.imagery.brief import Brief
from vision.imagery.kept import sha256
from vision.imagery.review import MAX_REASON, Act

_DECISIONS: Final = {one.value: one for one in (Act.PROPOSE, Act.APPROVE, Act.REJECT)}


async def order_from(form: FormData) -> Asked:
    """An order.

    Raises:
        InputError: a field is missing, no number, or outside its range.
    """
    style = await _file(form, "style") or None
    return Asked(
        brief=_brief(form, style),
        photo=await _file(form, "photo"),
        mask=await _file(form, "mask") or None,
        style=style,
        name=text(form, "name", most=200),
        policy=text(form, "policy", most=64),
        waiver=text(form, "waiver", most=2000),
        request_id=text(form, "request_id", most=128),
    )


def decision_from(form: FormData, job_id: str, number: int, act: str) -> Decision | None:
    """A decision; nothing where there is no such act."""
    chosen = _DECISIONS.get(act)
    if chosen is None:
        return None
    return Decision(job_id=job_id, number=number, act=chosen, reason=text(form, "reason", most=MAX_REASON))


def text(form: FormData, name: str, *, most: int) -> str:
    """A field's text without blanks at the ends; empty where it is absent.

    Raises:
        InputError: it is too long, a file, or cannot be kept.
    """
    value = form.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{name}: expected text, found a file")
    if len(value) > most:
        raise InputError(f"{name}: expected at most {most} characters, found {len(value)}")
    if "\0" in value:
        raise InputError(f"{name}: expected text without NUL")
    return value.strip()


def _brief(form: FormData, style: bytes | None) -> Brief:
    side = text(form, "side", most=8)
    given: dict[str, Any] = {
        "style": None if style is None else sha256(style),
        "scene": text(form, "scene", most=1000),
        "rules": [one for one in form.getlist("rules") if isinstance(one, str)],
        "generator": text(form, "generator", most=64),
        "size_wh": (side, side) if side else None,
        "count": text(form, "count", most=8),
        "seed": text(form, "seed", most=16),
    }
    layout = {name: text(form, name, most=8) or None for name in ("horizon", "light")}
    values = {name: value for name, value in given.items() if value}
    try:
        return Brief.model_validate({**values, "layout": layout})
    except ValidationError as error:
        raise InputError("; ".join(_complaints(error.errors(include_url=False)))) from error


def _complaints(errors: Sequence[Any]) -> Sequence[str]:
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg'][:1].lower()}{one['msg'][1:]}" for one in errors]


async def _file(form: FormData, name: str) -> bytes:
    """The bytes of a file; none where none was chosen."""
    value = form.get(name)
    return await value.read() if isinstance(value, UploadFile) else b""
