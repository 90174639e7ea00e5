"""Scene models: diffusers pipelines from a local folder, asked for scenes.

Law: the one place beside `training` that knows torch. Only the imagery worker and training load it; nothing of `vision`, `server` or `edge`
imports it but `vision.imagery.create`, inside a function.
"""
