"""A mug, a bottle and a box: glaze, glass, print and halftone, each on its canvas."""

import numpy as np

from tests.goods.canvas import (
    BRANDS,
    INKS,
    PAPERS,
    WORDS,
    Canvas,
    Foot,
    ellipse,
    label,
    noise,
    pick,
    printed,
    round_light,
)


def mug(canvas: Canvas, rng: np.random.Generator) -> Foot:
    glaze, wide = np.asarray(pick(PAPERS, rng), np.float32), rng.uniform(0.56, 0.64)
    across = (canvas.x + 0.18) / np.float32(wide)
    bulge = np.sqrt(np.clip(1 - across * across, 0, 1))
    diffuse, highlight = round_light(across, gloss=0.35)
    middle = (-0.18 + wide + 0.04, -0.02)
    ring = (np.abs(ellipse(canvas, middle, (0.36, 0.42))) - 0.075).astype(np.float32)
    lit = 0.72 - 0.9 * ring / 0.075 * 0.12 - 0.25 * (canvas.y - middle[1])
    canvas.paint(canvas.inside(ring), glaze * lit[..., None])
    body = np.maximum(
        np.abs(across) * wide - wide, np.maximum(-0.66 - canvas.y, canvas.y - 0.62 - 0.12 * bulge)
    )
    speckled = glaze * (1 - 0.45 * (noise(canvas.side, rng, blur=canvas.side / 1000) > 2.1)[..., None])
    canvas.paint(canvas.inside(body), speckled * diffuse[..., None] + highlight[..., None])
    down = (canvas.y + 0.38 - 0.12 * bulge) / np.float32(0.8)
    size_wh = (canvas.side, int(0.4 * canvas.side))
    lines = [(pick(BRANDS, rng), 0.42, 0.4), (pick(WORDS, rng), 0.12, 0.75)]
    cover = canvas.wrapped(printed(size_wh, lines, (1, 1, 1), (0, 0, 0)), across, down, turn=0.6)[..., 0]
    on_body = ((down > 0) & (down < 1)).astype(np.float32) * canvas.inside(body)
    ink = np.asarray(pick(INKS, rng), np.float32)
    canvas.paint(cover * on_body, ink * diffuse[..., None] + 0.7 * highlight[..., None])
    rim = (-0.18, -0.66)
    canvas.paint(canvas.inside(ellipse(canvas, rim, (wide, 0.13))), glaze * np.float32(0.97))
    hollow = glaze * (0.55 + 0.3 * across + 1.2 * (canvas.y + 0.66))[..., None]
    canvas.paint(canvas.inside(ellipse(canvas, rim, (wide - 0.045, 0.098))), np.clip(hollow, 0.12, 0.9))
    return -0.18 - wide, -0.18 + wide, 0.72


def bottle(canvas: Canvas, rng: np.random.Generator) -> Foot:
    wide, neck = rng.uniform(0.36, 0.44), rng.uniform(0.11, 0.15)
    at = np.array([-0.72, -0.55, -0.42, -0.22, 0.0, 0.88, 0.95])
    rows = np.linspace(-1.1, 1.1, 1100)
    width = np.interp(rows, at, [neck, neck, neck * 1.15, wide * 0.85, wide, wide, wide * 0.96])
    width = np.convolve(np.pad(width, 40, mode="edge"), np.hanning(81) / np.hanning(81).sum(), "valid")
    half = np.interp(canvas.y, rows, width).astype(np.float32)
    slope = np.interp(canvas.y, rows, np.gradient(width, rows)).astype(np.float32)
    across = canvas.x / half
    bulge = np.sqrt(np.clip(1 - across * across, 0, 1))
    body = np.maximum(
        (np.abs(canvas.x) - half) / np.sqrt(1 + slope * slope),
        np.maximum(-0.74 - canvas.y, canvas.y - 0.9 - 0.05 * bulge),
    )
    diffuse, highlight = round_light(across, gloss=0.5)
    tint = np.asarray(pick(INKS, rng), np.float32) * np.float32(0.8)
    canvas.paint(canvas.inside(body), tint * diffuse[..., None] + highlight[..., None])
    down = (canvas.y - 0.12 - 0.03 * bulge) / np.float32(0.62)
    sheet = canvas.wrapped(label((canvas.side, canvas.side), rng), across, down, turn=0.7)
    on_label = canvas.inside((np.abs(down - 0.5) - 0.5) * 0.62) * canvas.inside(body)
    canvas.paint(on_label, sheet * diffuse[..., None] + 0.25 * highlight[..., None])
    cap = np.maximum(
        np.abs(canvas.x) - neck - 0.03,
        np.abs(canvas.y + 0.82) - 0.14 - 0.012 * np.sqrt(np.clip(1 - (canvas.x / (neck + 0.03)) ** 2, 0, 1)),
    )
    turned = np.clip(canvas.x / np.float32(neck + 0.03), -1, 1)
    ridges = 0.88 + 0.12 * np.sin(np.arcsin(turned) * 44)
    light, shine = round_light(turned, gloss=0.3)
    metal = np.asarray(pick(((0.16, 0.16, 0.17), (0.82, 0.68, 0.38), (0.75, 0.76, 0.78)), rng), np.float32)
    canvas.paint(
        canvas.inside(cap.astype(np.float32)), metal * (ridges * light)[..., None] + shine[..., None]
    )
    return -wide, wide, 0.94


def box(canvas: Canvas, rng: np.random.Generator) -> Foot:
    lean, tall = rng.uniform(0.1, 0.2), rng.uniform(0.5, 0.68)
    front = [(-0.92, -tall + 0.04), (0.3, -tall + lean), (0.3, 0.86), (-0.92, 0.72)]
    right = [(0.3, -tall + lean), (0.92, -tall), (0.92, 0.66), (0.3, 0.86)]
    top = [(-0.34, -tall - lean), (0.92, -tall), (0.3, -tall + lean), (-0.92, -tall + 0.04)]
    silhouette = [front[0], top[0], top[1], right[2], right[3], front[3]]
    ink, side = pick(INKS, rng), canvas.side
    canvas.paint(canvas.outline(silhouette), ink)
    sheet = label((side, side), rng)
    fine = max(4, side // 150)
    rows, columns = np.mgrid[:side, :side]
    dots = (rows % fine - fine // 2) ** 2 + (columns % fine - fine // 2) ** 2
    reach = (fine * 0.62 * np.linspace(0, 1, side)[:, None]) ** 2
    halftone = ((dots < reach) & (sheet.min(axis=2) > 0.7) & (rows > 0.62 * side))[..., None]
    sheet = np.where(halftone, sheet * 0.55 + 0.45 * np.asarray(ink, np.float32), sheet).astype(np.float32)
    words = [str(word) for word in rng.permutation(WORDS)]
    flank = printed(
        (side // 2, side), [(word, 0.035, 0.2 + 0.09 * row) for row, word in enumerate(words)], (1, 1, 1), ink
    )
    lid = printed((side, side // 2), [(pick(BRANDS, rng), 0.3, 0.5)], pick(PAPERS, rng), ink)
    inside = canvas.alpha.copy()
    for corners, texture, light in ((front, sheet, 1.0), (right, flank, 0.68), (top, lid, 1.12)):
        canvas.paint(
            np.minimum(canvas.outline(corners), inside),
            np.clip(canvas.face(corners, texture) * light, 0, 0.97),
        )
    return -0.88, 0.9, 0.78
