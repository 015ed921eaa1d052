"""Where in the templates a finding comes from.

The same edition is rendered once more from traced templates; that message is never sent. Its elements, CSS rules and
lines of text are the ones of the message that was linted, in the same order, and carry the marks of their templates.
Where the two differ (the templates were changed since, or stories left out for size), they are brought side by side by
what they show; what has no counterpart has no place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cached_property

from lxml import etree

from newsletter.render.lint.findings import Finding, Spot
from newsletter.render.lint.mail import Mail
from newsletter.render.tracing import ATTRIBUTE, TEXT_MARK

_TOLD_BY = ("class", "id", "href", "src", "name")
# Of rules about the whole message: the file that would have to say it, of the design or of shared/.
_ABOUT_PART = {"text": "edition.txt", "size": "edition.html", "headings": "edition.html", "html": "edition.html"}


class Origins:
    """The places of one message's findings.

    ``place`` says the ``file:line`` of a mark, ``setting`` that of a key of the newsletter, ``file`` that of a file of
    its design.
    """

    def __init__(
        self,
        mail: Mail,
        traced: Mail,
        place: Callable[[int], str],
        setting: Callable[[str], str],
        file: Callable[[str], str],
    ) -> None:
        self._mail, self._traced = mail, traced
        self._place, self._setting, self._file = place, setting, file

    def placed(self, findings: Sequence[Finding]) -> list[Finding]:
        """``findings`` with ``where`` filled in as far as it is known."""
        return [replace(finding, where=finding.where or self._where(finding)) for finding in findings]

    def _where(self, finding: Finding) -> str:
        spot = finding.spot
        if spot.setting:
            return self._setting(spot.setting)
        found = ""
        if spot.rule >= 0:
            found = self._of_rule(spot)
        if not found and spot.element >= 0:
            found = self._of_element(spot.element)
        if not found and spot.words:
            found = self._of_words(spot.words)
        if not found:
            part = "edition.txt" if finding.what.startswith("the text") else "edition.html"
            found = self._file(_ABOUT_PART.get(finding.rule, part))
        return found

    def _of_element(self, number: int) -> str:
        counterpart = self._elements.get(number)
        element = self._traced.elements[counterpart] if counterpart is not None else None
        while element is not None:
            if mark := element.get(ATTRIBUTE):
                return self._place(int(mark))
            element = element.getparent()
        return ""

    def _of_rule(self, spot: Spot) -> str:
        prelude = self._mail.rules[spot.rule][1].prelude
        nth = sum(rule.prelude == prelude for _, rule in self._mail.rules[: spot.rule])
        same = [rule for _, rule in self._traced.rules if rule.prelude == prelude]
        return self._place(same[min(nth, len(same) - 1)].mark) if same else ""

    def _of_words(self, words: str) -> str:
        mark = -1
        for line in self._traced.text.splitlines():
            found = TEXT_MARK.findall(line)
            mark = int(found[0]) if found else mark
            if words in TEXT_MARK.sub("", line):
                return self._place(mark)
        return ""

    @cached_property
    def _elements(self) -> dict[int, int]:
        """The number of each element of the message -> that of its counterpart."""
        ours, theirs = self._mail.elements, self._traced.elements
        if [one.tag for one in ours] == [one.tag for one in theirs]:
            return {number: number for number in range(len(ours))}
        matcher = SequenceMatcher(None, [_told(one) for one in ours], [_told(one) for one in theirs], autojunk=False)
        return {
            block.a + offset: block.b + offset
            for block in matcher.get_matching_blocks()
            for offset in range(block.size)
        }


def _told(element: etree._Element) -> tuple[str, ...]:
    """What an element is recognised by."""
    return (str(element.tag), *(element.get(name) or "" for name in _TOLD_BY), (element.text or "").strip()[:40])
