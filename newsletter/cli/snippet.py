"""``snippet``: the sign-up form as HTML, to be put on a page of the publisher's own."""

from __future__ import annotations

from html import escape
from typing import Annotated

import typer

from newsletter.cli.options import options_of
from newsletter.errors import ConfigurationError, UsageError


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("snippet")(snippet)


def snippet(
    context: typer.Context,
    newsletters: Annotated[
        list[str] | None, typer.Argument(metavar="[NEWSLETTER]...", help="Those to offer; default: every listed one")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Of the form and the mail; default: the site's")] = "",
) -> None:
    """Print the sign-up form as HTML without scripts or styles, for a page of the publisher's own site.

    With one newsletter there is nothing to choose: an address and a button. The page must be on site.url or on a site
    named in sign_up.embed_on.
    """
    from newsletter.render.catalogues import words_of
    from newsletter.render.words import direction_of

    options = options_of(context)
    configuration = options.configuration()
    schedules = configuration.schedules
    if schedules.web is None:
        raise ConfigurationError("web is not configured", where=configuration.where(), remedy="Add web: {url: …}")
    names = list(newsletters or configuration.offered)
    for name in names:
        if not configuration.newsletter(name).listed:
            raise UsageError(f"'{name}' is not listed", where="NEWSLETTER", remedy="Set listed: true, or name another")
    spoken = configuration.site_language_for(language)
    if language and spoken != language:
        raise UsageError(f"no newsletter is made in '{language}'", where="--language", remedy="Leave it out")
    words = words_of(configuration.template_folders, spoken)
    lines = [
        (
            f'<form class="newsletter-sign-up" method="post" action="{escape(schedules.web.base)}/subscribe"'
            f' lang="{escape(spoken)}" dir="{direction_of(spoken)}">'
        )
    ]
    for name in names:
        title = escape(schedules.newsletters[name].title)
        if len(names) == 1:
            lines.append(f'<input type="hidden" name="newsletter" value="{escape(name)}">')
        else:
            lines.append(f'<label><input type="checkbox" name="newsletter" value="{escape(name)}"> {title}</label>')
    lines += [f'<input type="hidden" name="language" value="{escape(spoken)}">'] if language else []
    lines += [
        (
            f"<label>{escape(words.gettext('Your e-mail address'))}"
            ' <input type="email" name="address" autocomplete="email" maxlength="320" required></label>'
        ),
        # People do not see it, programs fill it in; what it holds is then sent to nobody.
        (
            '<span style="position:absolute;left:-9999px" aria-hidden="true">'
            f"<label>{escape(words.gettext('Leave this empty'))}"
            ' <input name="website" tabindex="-1" autocomplete="off"></label></span>'
        ),
        f'<button type="submit">{escape(words.gettext("Subscribe"))}</button>',
        "</form>",
    ]
    typer.echo("\n".join(lines))
