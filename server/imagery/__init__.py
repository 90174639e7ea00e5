"""Imagery on a server: orders taken, carried out by workers, reviewed by people, exported.

Law: stands on `server.storage` and `vision.imagery`; knows neither the wire nor the page. What makes images, and may load torch, is handed to a
worker as a `Studio`; what the server itself uses of `vision.imagery` is handed in as `Desk`. So the server's process never meets torch.
"""
