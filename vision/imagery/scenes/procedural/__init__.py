"""Studio scenes drawn by formulas: a wall, a table, a light. They need no model, and a model of scenes can learn from them.

Law: numpy and OpenCV. A scene is a `Studio` (what words can say) and a seed (everything else), drawn at any size.
"""
