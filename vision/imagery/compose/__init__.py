"""Product and scene to one picture: where the product stands, its shadow, the scene's light, and the product's own pixels on top.

Law: deterministic. Of the product only `place` changes anything, by the recorded placement alone; shadow and light touch the scene.
"""
