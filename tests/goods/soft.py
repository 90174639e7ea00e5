"""A shoe, a bag and a brush: knit, leather and hair, each on its canvas."""

import cv2
import numpy as np

from tests.goods.canvas import (
    BRANDS,
    INKS,
    PAPERS,
    Canvas,
    Foot,
    Points,
    curve,
    dashes,
    ellipse,
    noise,
    pick,
    points,
    printed,
    round_light,
)


def shoe(canvas: Canvas, rng: np.random.Generator) -> Foot:
    ink, paper = np.asarray(pick(INKS, rng), np.float32), np.asarray(pick(PAPERS, rng), np.float32)
    upper = curve(
        points(
            "-0.9 0.3, -0.88 -0.06, -0.84 -0.38, -0.62 -0.44, -0.36 -0.4, -0.16 -0.3, 0.12 -0.08, 0.44 0.06, 0.74 0.12, 0.93 0.28, 0.94 0.4, 0.4 0.42, -0.4 0.42, -0.88 0.42"
        )
    )
    sole = curve(
        points(
            "-0.94 0.34, -0.5 0.36, 0.1 0.4, 0.6 0.36, 0.97 0.28, 0.99 0.4, 0.86 0.5, 0.2 0.54, -0.5 0.54, -0.9 0.52, -0.97 0.44"
        )
    )
    cloth = canvas.outline(upper)
    knit = 0.9 + 0.07 * np.sin(canvas.x * 150 + 2 * np.sin(canvas.y * 150)) + 0.05 * np.sin(canvas.y * 190)
    light = np.clip(1.02 - 0.5 * (canvas.y - 0.05) + 0.14 * canvas.x, 0.5, 1.15)
    canvas.paint(cloth, ink * (knit * light)[..., None])
    opening = curve(points("-0.82 -0.36, -0.6 -0.42, -0.34 -0.38, -0.3 -0.32, -0.56 -0.3, -0.78 -0.28"))
    canvas.paint(canvas.outline(opening) * cloth, np.float32(0.35) * ink)
    toe = canvas.outline(curve(points("0.5 0.5, 0.56 0.22, 0.72 0.1, 1.05 0.1, 1.05 0.5")))
    canvas.paint(toe * cloth, paper * (light * 0.92)[..., None])
    heel = canvas.outline(curve(points("-1.0 0.5, -1.0 -0.2, -0.8 -0.16, -0.66 0.12, -0.6 0.5")))
    canvas.paint(heel * cloth, paper * (light * 0.86)[..., None])
    eyelets = [(-0.26 + 0.11 * step, -0.3 + 0.075 * step + (0.05 if step > 3 else 0)) for step in range(6)]
    laces = [[(x + 0.07, y - 0.03), (x - 0.03, y + 0.14)] for x, y in eyelets]
    canvas.paint(canvas.strokes(laces, 0.055) * cloth, np.float32(0.55) * ink)
    canvas.paint(canvas.strokes(laces, 0.042), paper * (0.93 + 0.07 * np.sin(canvas.y * 260))[..., None])
    seam = curve(points("-0.62 0.3, -0.3 0.24, 0.1 0.3, 0.5 0.26"), closed=False, steps=16)
    seams = [*dashes(seam, 3, 2), *dashes([(x, y + 0.025) for x, y in seam], 3, 2)]
    canvas.paint(canvas.strokes(seams, 0.01) * cloth, paper)
    mark = canvas.face(
        points("-0.5 -0.1, 0.02 -0.02, 0.02 0.2, -0.5 0.14"),
        printed((600, 240), [(pick(BRANDS, rng), 0.5, 0.5)], (1, 1, 1), (0, 0, 0)),
    )
    canvas.paint(mark[..., 0] * cloth, paper)
    treads = 0.9 + 0.1 * np.sign(np.sin(canvas.x * 70)) * (canvas.y > 0.47)
    canvas.paint(canvas.outline(sole), paper * (treads * np.clip(1.2 - 0.6 * canvas.y, 0, 1))[..., None])
    return -0.94, 0.94, 0.52


def bag(canvas: Canvas, rng: np.random.Generator) -> Foot:
    hide = np.asarray(pick(((0.42, 0.24, 0.14), (0.16, 0.15, 0.16), *INKS[:3]), rng), np.float32)
    leather = (
        1
        + 0.07 * noise(canvas.side, rng, blur=canvas.side / 500)
        + 0.04 * noise(canvas.side, rng, blur=canvas.side / 150)
    )
    light = np.clip(1.06 - 0.22 * canvas.x - 0.3 * canvas.y, 0.55, 1.3) * leather
    arch = rng.uniform(0.62, 0.72)
    angle = np.linspace(np.pi, 2 * np.pi, 60)
    handle = [(0.42 * float(np.cos(a)), -0.2 + arch * float(np.sin(a))) for a in angle]
    canvas.paint(canvas.strokes([handle], 0.1), hide * (0.8 * light)[..., None])
    canvas.paint(canvas.strokes([handle], 0.06), hide * light[..., None])
    body = curve(
        points(
            "-0.78 -0.2, -0.4 -0.25, 0.4 -0.25, 0.78 -0.2, 0.86 0.2, 0.92 0.66, 0.84 0.8, 0.3 0.84, -0.3 0.84, -0.84 0.8, -0.92 0.66, -0.86 0.2"
        )
    )
    skin = canvas.outline(body)
    canvas.paint(skin, hide * light[..., None])
    flap = curve(
        points("-0.8 -0.24, 0.0 -0.3, 0.8 -0.24, 0.82 0.1, 0.5 0.28, 0.0 0.34, -0.5 0.28, -0.82 0.1")
    )
    covered = canvas.outline(flap) * skin
    canvas.shade(cv2.GaussianBlur(covered, (0, 0), canvas.side / 80) * skin, 0.62)
    canvas.paint(covered, hide * (1.08 * light)[..., None])
    thread = np.clip(hide * 1.9 + 0.12, 0, 0.95)
    for edge, inset in ((flap, 0.93), (body, 0.95)):
        seam = [(x * inset, 0.02 + (y - 0.02) * inset) for x, y in edge]
        canvas.paint(canvas.strokes(dashes(seam, 8, 5), 0.011) * skin, thread)
    brass = np.array([0.83, 0.68, 0.36], np.float32)
    plate = np.maximum(np.abs(canvas.x) - 0.1, np.abs(canvas.y - 0.3) - 0.07).astype(np.float32)
    shine = 0.75 + 0.3 * np.cos(canvas.x * 22 + canvas.y * 9)
    canvas.paint(canvas.inside(plate - 0.02), brass * shine[..., None])
    canvas.paint(canvas.inside(ellipse(canvas, (0, 0.3), (0.035, 0.035))), brass * np.float32(0.35))
    mark = canvas.face(
        points("-0.4 0.48, 0.4 0.48, 0.4 0.7, -0.4 0.7"),
        printed((900, 250), [(pick(BRANDS, rng), 0.55, 0.5)], (1, 1, 1), (0, 0, 0)),
    )
    canvas.paint(mark[..., 0] * skin * np.float32(0.8), thread)
    return -0.88, 0.88, 0.82


def _hair(start: float, rng: np.random.Generator) -> Points:
    tip = (
        start * rng.uniform(1.25, 1.7) + rng.normal(0, 0.02),
        -0.95 + 0.5 * start**2 + rng.uniform(0, 0.12),
    )
    return curve([(start, -0.08), (start * 1.1 + rng.normal(0, 0.012), -0.45), tip], closed=False, steps=8)


def brush(canvas: Canvas, rng: np.random.Generator) -> Foot:
    for shade in np.linspace(0.55, 1.0, 7):
        hairs = [_hair(start, rng) for start in rng.uniform(-0.3, 0.3, 24)]
        canvas.paint(canvas.strokes(hairs, 0.009), (np.array([0.86, 0.78, 0.62]) * shade).astype(np.float32))
    across = canvas.x / np.float32(0.34)
    diffuse, highlight = round_light(across, gloss=0.4)
    ferrule = np.maximum(np.abs(canvas.x) - 0.34, np.abs(canvas.y - 0.04) - 0.15).astype(np.float32)
    rings = 0.92 + 0.08 * np.sign(np.sin(canvas.y * 80))
    canvas.paint(
        canvas.inside(ferrule),
        np.array([0.78, 0.79, 0.82], np.float32) * (diffuse * rings)[..., None] + highlight[..., None],
    )
    wood = curve(
        points(
            "-0.34 0.18, 0.34 0.18, 0.3 0.3, 0.15 0.46, 0.12 0.7, 0.13 0.9, 0.0 0.98, -0.13 0.9, -0.12 0.7, -0.15 0.46, -0.3 0.3"
        )
    )
    wood_rings = 0.9 + 0.1 * np.sin(
        canvas.x * 90 + 5 * np.sin(canvas.y * 6) + 1.5 * noise(canvas.side, rng, blur=canvas.side / 60)
    )
    handle = canvas.outline(wood)
    colour = np.asarray(pick(((0.72, 0.47, 0.26), (0.5, 0.3, 0.17), *INKS[:2]), rng), np.float32)
    canvas.paint(handle, colour * (wood_rings * diffuse)[..., None] + 0.4 * highlight[..., None])
    mark = canvas.face(
        points("0.09 0.52, 0.09 0.92, -0.09 0.92, -0.09 0.52"),
        printed((500, 220), [(pick(BRANDS, rng), 0.5, 0.5)], (1, 1, 1), (0, 0, 0)),
    )
    canvas.paint(mark[..., 0] * handle, (0.96, 0.94, 0.9))
    return -0.13, 0.13, 0.96
