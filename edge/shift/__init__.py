"""A recorded shift: the pictures a station judged, in order, with all it takes to judge them again.

Law: recording waits for no disk and no part waits for it; what is missing is said, never guessed.
"""
