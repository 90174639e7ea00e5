"""Learning to paint studios: a small diffusion model of its own, from drawn scenes and their captions."""
