"""From a folder of photographs to a certified bundle.

Law: stands on `vision`; torch is at home here and nowhere else but in `vision.imagery.diffusion`.
"""
