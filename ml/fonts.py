"""Fonts to set text on pictures with. They come with packages, not from the system, so that the
same seed draws the same bytes everywhere."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from ml.errors import InputError

CHINESE = ("mplfonts", "fonts/NotoSansCJKsc-Regular.otf")


def font_of(text: str, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font that can set the text: Pillow's own, or one for Chinese.

    Raises:
        InputError: the package with the Chinese font is not installed.
    """
    return _font(text.isascii(), height)


@cache
def _font(text_is_latin: bool, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if text_is_latin:
        return ImageFont.load_default(size=height)
    package, file = CHINESE
    found = find_spec(package)  # found, not imported: that would import matplotlib
    if found is None or found.origin is None:
        raise InputError(f"the package {package}, whose font sets Chinese names, is not installed")
    return ImageFont.truetype(Path(found.origin).parent / file, height)
