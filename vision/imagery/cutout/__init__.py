"""A product's photo to the product alone.

Law: takes encoded bytes, gives the photo's own pixels and an alpha plane beside them; no pixel of the photo is ever changed here. Knows
nothing of scenes, rules or where the product will stand.
"""
