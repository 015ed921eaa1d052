"""Contrast of two colours, and an accent made readable on a background. Colours are ``#rrggbb``."""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls

PAPER = "#fdfdfb"
PAPER_DARK = "#17191c"


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable(accent: str, background: str, *, ratio: float = 4.5) -> str:
    """``accent``, lightened on a dark background or darkened on a light one until it reaches ``ratio``, hue kept."""
    hue, lightness, saturation = _hls(accent)
    towards = 1 if luminance(background) < 0.18 else 0
    for step in range(101):
        mixed = _hex(hue, lightness + (towards - lightness) * step / 100, saturation)
        if contrast(mixed, background) >= ratio:
            return mixed
    return mixed


def inverted(colour: str) -> str:
    """``colour`` as mail programs without a dark look of ours show it in the dark: hue kept, light for dark."""
    hue, lightness, saturation = _hls(colour)
    return _hex(hue, 1 - lightness, saturation)


def on_paper(accent: str, *, ratio: float = 4.5) -> str:
    """``accent``, darkened until it reaches ``ratio`` on our paper, and on that paper inverted when it is too.

    The paper on it, in the one button, then has the same contrast. (Pure blue reads on paper, but inverted it stays
    itself, and cannot be read on black.)
    """
    hue, lightness, saturation = _hls(accent)
    for step in range(101):
        mixed = _hex(hue, lightness * (100 - step) / 100, saturation)
        if min(contrast(mixed, PAPER), contrast(inverted(mixed), inverted(PAPER))) >= ratio:
            return mixed
    return mixed


def _hls(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return rgb_to_hls(red, green, blue)


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in hls_to_rgb(hue, lightness, saturation))
