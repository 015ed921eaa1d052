"""Which line of a page's text is its headline: what stands above it is the site's, a breadcrumb or a section. Pure.

The first line is the headline unless it plainly is not one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.collect.captions import captions_among
from newsletter.collect.dump_bylines import is_person, read_byline
from newsletter.collect.dump_menu import is_standfirst, lines_above
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, words_in
from newsletter.collect.published_line import DateLine, read_date_line
from newsletter.collect.site_voice import is_advertisement_mark, is_button, is_prose, voice_of

_ABOVE = 14  # lines that may stand over the headline
_LONGEST_HEADLINE = 24
_HOME = frozenset({
    "home", "home page", "news", "accueil", "início", "inicio", "startseite", "होम", "الرئيسية", "ホーム", "トップ",
    "главная", "anasayfa", "ana sayfa", "beranda", "صفحہ اول", "首页", "홈", "প্রচ্ছদ", "הבית",
})  # fmt: skip
SECTIONS = frozenset({
    "world", "national", "nation", "international", "politics", "business", "economy", "markets", "finance",
    "sport", "sports", "cricket", "football", "opinion", "editorial", "columns", "lifestyle", "life", "culture",
    "arts", "entertainment", "film", "movies", "music", "books", "science", "technology", "tech", "health",
    "education", "environment", "climate", "travel", "food", "style", "fashion", "local", "news", "metro", "region",
    "cities", "city", "crime", "courts", "weather", "obituaries", "letters", "interview", "analysis", "features",
    "magazine", "india", "europe", "asia", "africa", "americas", "us", "uk", "australia", "news/world", "monde",
    "politique", "société", "économie", "sciences", "planète", "france", "idées", "débats", "actualités",
    "actualité", "politik", "wirtschaft", "gesellschaft", "kultur", "wissen", "panorama", "ausland", "inland",
    "meinung", "regional", "nachrichten", "mundo", "política", "sociedad", "economía", "deportes", "cultura",
    "opinión", "internacional", "españa", "ciencia", "tecnología", "sucesos", "binnenland", "buitenland",
    "economie", "cultuur", "wetenschap", "opinie", "regio", "inrikes", "utrikes", "ekonomi", "debatt", "näringsliv",
    "indland", "udland", "innenriks", "utenriks", "kotimaa", "ulkomaat", "talous", "kraj", "świat", "gospodarka",
    "kultura", "nauka", "domácí", "zahraničí", "belföld", "külföld", "actualidad", "nacional", "brasil", "poder",
    "mercado", "cotidiano", "esporte", "ilustrada", "economia", "saúde", "ciência", "cidades", "opinião", "mondo",
    "cronaca", "esteri", "politica", "spettacoli", "в", "мире", "политика", "общество", "экономика", "культура",
    "спорт", "происшествия", "देश", "विदेश", "राजनीति", "खेल", "मनोरंजन", "कारोबार", "राज्य", "दुनिया", "भारत",
    "سياسة", "اقتصاد", "رياضة", "ثقافة", "العالم", "محليات", "社会", "政治", "経済", "国際", "スポーツ", "文化",
    "科学", "地域", "国内", "海外", "dünya", "gündem", "spor", "nasional", "internasional", "olahraga",
})  # fmt: skip
_SEPARATORS = re.compile(r"\s*(?:[/>›»|→·•]|\s-\s|::)\s*")
_MEMBERS = re.compile(
    r"(?:article |story |exclusive |content )?(?:réservé aux abonnés|(?:for )?(?:subscribers?|members?)(?:[ -]only|"
    r" only)|premium(?: article)?|exclusivo para (?:assinantes|suscriptores)|"
    r"solo para suscriptores|nur für abonnenten|有料(?:会員(?:限定)?)?記事|有料会員限定.{0,6}|会員限定.{0,4}|"
    r"(?:this (?:article|"
    r"story) is )?for (?:subscribers|members)(?: only)?|abbonati|plus-artikel|प्रीमियम)\W{0,3}",
    re.IGNORECASE,
)


def find_headline(paragraphs: Sequence[Paragraph], *, zone: str, language: str) -> tuple[int, str]:
    """Where the headline stands, and the section that a breadcrumb or a kicker over it names."""
    begins = lines_above(paragraphs, zone=zone, language=language, members=_MEMBERS)
    named = [one.text for one in paragraphs[:begins] if one.text.casefold() in SECTIONS]
    section, site_above = named[-1] if len(named) == 1 else "", False  # several are a menu
    for position, one in enumerate(paragraphs[begins : begins + _ABOVE], begins):
        rest = paragraphs[position + 1 : position + 6]
        if not rest:
            break
        if one.text.casefold() in _HOME - SECTIONS:
            continue
        trail = [part for part in _SEPARATORS.split(one.text) if part]
        if len(trail) > 1 and all(words_in(part) <= 3 for part in trail[:-1]) and _is_trail(trail, one.text, rest):
            named = [part for part in trail if part.casefold() not in _HOME and words_in(part) <= 4]
            own = [part for part in named if not any(repeats(part, two.text) for two in rest[:3])]
            section = own[-1] if own else section
        elif len(words := one.text.casefold().split()) > 1 and words[0] in _HOME and SECTIONS.issuperset(words[1:]):
            section = one.text.split()[-1]
        elif _is_site(one.text):
            site_above = True
        elif (
            is_members_mark(one.text)
            or (site_above and not begins and _goes_on_above(one.text))
            or (dated(one, zone, language) is not None and words_in(one.text) <= 10 and not is_prose(rest[0].text))
        ):
            pass
        elif _is_over_headline(one.text, rest, zone, language):
            section = one.text if one.text.casefold() in SECTIONS or not _is_kicker(one.text) else section
        else:
            return position, section
    return begins, ""


def is_members_mark(text: str) -> bool:
    """Whether ``text`` says that the story is for members or subscribers, and no more."""
    return bool(_MEMBERS.fullmatch(text))


def dated(one: Paragraph, zone: str, language: str) -> DateLine | None:
    """What a line says of when and where, None if it is no such line."""
    return None if one.verse else read_date_line(one.text, zone, language)


def repeats(text: str, headline: str) -> bool:
    """Whether ``text`` is the headline once more, perhaps with the outlet's name."""
    one, other = text.casefold().strip(" .'\"“”"), headline.casefold().strip(" .'\"“”")
    return one == other or (
        len(other) > 20
        and one.startswith(other)
        and len(one) - len(other) <= 40
        and bool(re.match(r"\s+[|–—-]\s", text[len(headline) :]))
    )


def _is_site(text: str) -> bool:
    """Whether a line above the headline is the site's: "Sign in", "Skip to content", "We value your privacy"."""
    plain = voice_of(text).strength() >= (2 if ends_sentence(text) else 3 if words_in(text) <= 7 else 9)
    return plain or (is_button(text, frozenset()) and words_in(text) <= 4) or is_advertisement_mark(text)


def _goes_on_above(text: str) -> bool:
    """Whether a line below the site's own goes on with it: another button, or a sentence, as no headline is."""
    return text.endswith((".", "。", "।")) or (words_in(text) <= 2 and text.casefold() not in SECTIONS)


def _is_over_headline(text: str, rest: Sequence[Paragraph], zone: str, language: str) -> bool:
    """Whether a line stands over the headline, as a section does, whatever its language."""
    known = text.casefold() in SECTIONS
    if not known and not _is_headline(rest[0].text):
        return False
    if ends_sentence(rest[0].text) or dated(rest[0], zone, language) or read_byline(rest[0].text, sure=False):
        return False
    return known or _is_kicker(text) or _is_over(text, rest, zone, language)


def _is_trail(trail: Sequence[str], text: str, rest: Sequence[Paragraph]) -> bool:
    """Whether parts between slashes or arrows are a breadcrumb: home, sections, perhaps the headline itself."""
    first = trail[0].casefold()
    short = all(words_in(part) <= 2 for part in trail) and not ends_sentence(text)
    return first in _HOME or first in SECTIONS or (short and _is_headline(rest[0].text))


def _is_over(text: str, rest: Sequence[Paragraph], zone: str, language: str) -> bool:
    """Whether a word or two stand over a headline that date or byline follow: a section, in any language."""
    if words_in(text) > 2 or len(rest) < 2 or any(one.isdigit() for one in text) or text.endswith(("?", "!", ".")):
        return False
    captions = captions_among([one.text for one in rest], within_story=False) - {0}
    rest = [one for at, one in enumerate(rest) if at not in captions]
    if len(rest) < 2:
        return False
    below = [dated(one, zone, language) is not None or read_byline(one.text, sure=False) is not None for one in rest]
    if below[0] or words_in(rest[0].text) > _LONGEST_HEADLINE or is_standfirst(rest[0].text, text):
        return False
    return any(below[1:4]) or (is_person(rest[1].text) and any(below[1:]))


def _is_kicker(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    return words_in(text) <= 3 and len(letters) > 2 and all(one.isupper() for one in letters)


def _is_headline(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    return (
        4 <= words_in(text) <= 26 and not text.endswith((".", "。", "।")) and not all(one.isupper() for one in letters)
    )
