"""Placing products: a photo, a title and attributes go in, the place in a shop's tree of categories comes out.

Law: what training and serving must do alike, and nothing that only one of them does. Neither transport nor command line here.
"""
