"""The site's logo under ``media/``, so that mails show our own copy of it by content hash."""

from __future__ import annotations

import hashlib

from PIL import Image, UnidentifiedImageError

from newsletter.collect.pictures import write_once
from newsletter.config.reading import Configuration
from newsletter.model import Picture

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg"}


def publish_logo(configuration: Configuration) -> Picture | None:
    """Copy the theme's logo to ``media/`` and return it, None where there is none. Blocking; ConfigurationError."""
    named = configuration.schedules.site.theme.logo
    if named is None:
        return None
    path = configuration.resolve(named)
    try:
        body = path.read_bytes()
        with Image.open(path) as picture:
            suffix, (width, height) = _SUFFIXES[picture.format or ""], picture.size
        name = hashlib.sha256(body).hexdigest()[:32] + suffix
        write_once(configuration.media_folder / name, body)
    except (OSError, UnidentifiedImageError, KeyError) as error:
        raise configuration.fault(
            f"the logo cannot be used ({type(error).__name__})",
            "site",
            "theme",
            "logo",
            remedy="Give a PNG or JPEG file",
        ) from error
    return Picture(str(path), alt=configuration.schedules.site.name, media=name, width=width, height=height)
