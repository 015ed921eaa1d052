"""How many lines on top of a page's text are the site's bar and menu, before section, headline and story. Pure.

A menu is many lines of a word or two; a bar is what asks to sign in, subscribe or accept. The headline is the first
line of some length below them and above the date or byline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.collect.dump_bylines import is_person, read_byline
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, words_in
from newsletter.collect.published_line import read_date_line
from newsletter.collect.site_voice import LIKELY, PLAIN, addresses_reader, is_advertisement_mark, is_button, voice_of

_REGION = 40  # lines in which a date or a byline shows that a story begins here
_FEWEST_OF_MENU = 3
_SHORT = 3  # words of a menu's line
_FEW = 5
_LONG_SENTENCE = 14
_LONGEST_HEADLINE = 30
_LONGEST_IN_BAR = 8
# What bars on top of pages are about; buttons of sharing and saving stand below headlines too.
_OF_BARS = frozenset({"account", "membership", "newsletter", "privacy", "app"})
_NONE = frozenset[str]()


def lines_above(paragraphs: Sequence[Paragraph], *, zone: str, language: str, members: re.Pattern[str]) -> int:
    """How many lines belong to the page's top; 0 where none plainly does. ``members`` matches marks of access."""
    texts = [one.text for one in paragraphs[:_REGION]]
    end = next((at for at, text in enumerate(texts) if at and _begins_story(text, zone, language)), len(texts))
    if not any(_is_anchor(text, zone, language) for text in texts[1:]):
        return 0
    texts = texts[:end]
    of_site = [not members.fullmatch(text) and _is_of_site(text) for text in texts]
    long = [at for at, text in enumerate(texts) if not of_site[at] and _could_be_headline(text)]
    bars = [at for at, text in enumerate(texts) if of_site[at] and voice_of(text).concepts & _OF_BARS]
    begins = 0
    if (
        bars
        and long
        and any(at > bars[-1] and not _is_bars_item(texts[at]) for at in long)
        and all(_in_bar(at, texts, of_site) for at in long if at < bars[-1])
    ):
        begins = bars[-1] + 1
        while begins < len(texts) and _is_bars_item(texts[begins]):
            begins += 1
    first = next((at for at in long if at >= begins), None)
    if first is None:
        return begins
    # A trail that ends with the headline's own words, and then the headline.
    first = max(at for at in range(first, len(texts)) if texts[at] == texts[first])
    above = [at for at in range(first) if not of_site[at]]
    known = first - len(above)
    if first < 2 or (len(above) == 1 and not known) or (first == 2 and not known and is_person(texts[1])):
        return begins
    if is_standfirst(texts[first], texts[first - 1]):
        return begins if of_site[first - 1] else max(begins, first - 1)
    menu = first >= _FEWEST_OF_MENU or of_site[first - 1]
    return max(begins, first if menu else first - 1)


def is_standfirst(text: str, above: str) -> bool:
    """Whether ``text`` is rather the standfirst of a headline of two or three words than the headline itself."""
    if not 1 < words_in(above) <= _SHORT or above.isupper():
        return False
    return ends_sentence(text) or words_in(text) >= _LONG_SENTENCE


def _could_be_headline(text: str) -> bool:
    words = words_in(text)
    return _SHORT < words <= _LONGEST_HEADLINE and not (words <= _FEW and text.split(" ", 1)[0].islower())


def _begins_story(text: str, zone: str, language: str) -> bool:
    if _is_anchor(text, zone, language):
        return True
    return ends_sentence(text) and words_in(text) >= _LONG_SENTENCE and voice_of(text).strength() < LIKELY


def _is_anchor(text: str, zone: str, language: str) -> bool:
    return read_date_line(text, zone, language) is not None or read_byline(text, sure=False) is not None


def _is_of_site(text: str) -> bool:
    voice = voice_of(text)
    if is_advertisement_mark(text) or voice.strength() >= PLAIN:
        return True
    return bool(voice.concepts) and words_in(text) <= 5 and (is_button(text, _NONE) or voice.covered >= 1 / 3)


def _is_bars_item(text: str) -> bool:
    """Whether a line below a bar goes on with it: "Save stories to read later"."""
    return voice_of(text).strength() >= LIKELY or addresses_reader(text)


def _in_bar(at: int, texts: Sequence[str], of_site: Sequence[bool]) -> bool:
    """Whether a line of some length stands among those of a bar: below one of them and short, or between two."""
    short = words_in(texts[at]) <= _LONGEST_IN_BAR
    return at > 0 and any(of_site[:at]) and (short or (of_site[at - 1] and of_site[at + 1]))
