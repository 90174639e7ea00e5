"""Scenes for a product to stand in: what every generator takes and gives, and the generators that need no torch."""
