"""HTML and SVG built from elements: text is escaped unless it is markup already."""

import html
from collections.abc import Iterable

Content = object  # Markup as it is; an iterable, each; None, nothing; anything else, its text


class Markup(str):
    """Text that is markup, not to be escaped."""

    __slots__ = ()


def join(*contents: Content) -> Markup:
    return Markup("".join(_render(content) for content in contents))


def tag(name: str, *contents: Content, **attributes: Content) -> Markup:
    """An element. An attribute that is None is left out; `class_` is `class`, `view_box` is
    `viewBox`, other underscores become hyphens."""
    written = "".join(
        f' {_attribute(key)}="{html.escape(_plain(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(*contents)}</{name}>")


_NAMES = {"view_box": "viewBox", "preserve_aspect_ratio": "preserveAspectRatio"}


def _attribute(key: str) -> str:
    return _NAMES.get(key, key.rstrip("_").replace("_", "-"))


def _plain(value: Content) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _render(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content
    if isinstance(content, Iterable) and not isinstance(content, str):
        return "".join(_render(part) for part in content)
    return html.escape(_plain(content))
