"""Product images: the real product, untouched, in a generated scene, checked against marketplace rules, labelled and signed.

Law: numpy and what the core stands on. No torch, no sockets, no database; torch is met in `vision.imagery.diffusion` alone, which only the
worker and training load. The product's pixels come from a photograph and from nothing else: a generator makes scenes, never products.
"""
