"""Contrast of two colours, and an accent made readable on a background. Colours are ``#rrggbb``."""

from __future__ import annotations

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
    """``accent``, lightened on a dark background or darkened on a light one until it reaches ``ratio``."""
    towards = 255 if luminance(background) < 0.18 else 0
    channels = [int(accent[at : at + 2], 16) for at in (1, 3, 5)]
    for step in range(101):
        mixed = "#" + "".join(f"{round(c + (towards - c) * step / 100):02x}" for c in channels)
        if contrast(mixed, background) >= ratio:
            return mixed
    return mixed
