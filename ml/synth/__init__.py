"""The generated brand world: invented brands, their products, look-alikes and attacks, with the
truth of every picture. Drawn with Pillow and numpy alone, from seeded draws."""

from ml.synth.world import generate

__all__ = ["generate"]
