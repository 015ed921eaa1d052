"""What the page says of a message: its size, headers and parts, how it is read aloud, what changed, what weighs."""

from __future__ import annotations

from newsletter.preview.comparing import Side, compare
from newsletter.preview.inspecting import check_headers, mime_tree
from newsletter.preview.ruler import measure
from newsletter.preview.speaking import speak
from newsletter.preview.weighing import weigh
from newsletter.render.lint import Finding, Mail, Severity, Spot

UNSUBSCRIBE = "https://mail.news.example/u/1/daily/t"
HEAD = (
    "Date: Mon, 23 Nov 2026 11:30:00 +0530\r\nFrom: a@b.example\r\nTo: c@d.example\r\nMessage-ID: <1@b.example>\r\n"
    "Subject: S\r\nList-Id: <daily.b.example>\r\n"
)
ONE_CLICK = f"List-Unsubscribe: <{UNSUBSCRIBE}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def states(head: str) -> dict[str, str]:
    return {check.words: check.state for check in check_headers(f"{head}\r\nbody".encode(), UNSUBSCRIBE)}


# --- size ------------------------------------------------------------------------------------------------------------


def paper(stories: int, filling: int) -> tuple[str, list[tuple[str, str]]]:
    links = [(f"Story {number}", f"https://news.example/{number}") for number in range(stories)]
    rows = "".join(f'<tr><td><a href="{url}">é{"x" * filling}</a></td></tr>' for _, url in links)
    return f'<html><body><table>{rows}</table><table><a href="{UNSUBSCRIBE}">x</a></table></body></html>', links


def test_everything_is_counted_once() -> None:
    document, links = paper(5, 100)
    ruler = measure(document, links, UNSUBSCRIBE)
    assert ruler.cut is None
    assert [part.kind for part in ruler.parts] == ["head", *["story"] * 5, "foot"]
    assert sum(part.bytes for part in ruler.parts) == ruler.size == len(document.encode())


def test_the_line_names_the_stories_below_it_and_says_whether_unsubscribe_survives() -> None:
    document, links = paper(12, 10_000)
    cut = measure(document, links, UNSUBSCRIBE).cut
    assert cut is not None
    assert cut.below == ("Story 9", "Story 10", "Story 11")
    assert not cut.unsubscribe_survives
    early = document.replace("<body>", f'<body><a href="{UNSUBSCRIBE}">x</a>')
    kept = measure(early, links, UNSUBSCRIBE).cut
    assert kept is not None
    assert kept.unsubscribe_survives


# --- headers and parts -----------------------------------------------------------------------------------------------


def test_good_headers_fail_nothing() -> None:
    assert "fail" not in states(HEAD + ONE_CLICK).values()


def test_each_broken_header_is_named() -> None:
    for broken, word in (
        (HEAD + HEAD + ONE_CLICK, "once each"),
        (HEAD, "has an https link"),
        (HEAD + ONE_CLICK.replace("=One-Click", "=one-click"), "List-Unsubscribe-Post"),
        (HEAD + ONE_CLICK.replace("/u/1/", "/u/2/"), "reader's own"),
        (HEAD.replace("Subject: S", f"Subject: {'S' * 80}") + ONE_CLICK, "longer than 78"),
        (HEAD.replace("List-Id", "X-List") + ONE_CLICK, "List-Id"),
    ):
        failed = [words for words, state in states(broken).items() if state == "fail"]
        assert any(word in words for words in failed), (word, failed)


def test_the_parts_stand_in_their_order_with_both_sizes() -> None:
    message = (
        f"{HEAD}MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "a=C3=A9\r\n"
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>\r\n--b--\r\n"
    ).encode()
    whole, text, html = mime_tree(message)
    assert [(part.depth, part.type) for part in (whole, text, html)] == [
        (0, "multipart/alternative"),
        (1, "text/plain"),
        (1, "text/html"),
    ]
    assert (text.charset, text.encoding, text.decoded) == ("utf-8", "quoted-printable", 3)


# --- read aloud ------------------------------------------------------------------------------------------------------


def said(body: str) -> list[tuple[str, str]]:
    return [(one.role, one.words) for one in speak(Mail(f'<html lang="en"><body>{body}</body></html>', ""))]


def test_it_is_read_in_order_and_what_is_hidden_is_not() -> None:
    assert said(
        '<div style="display:none">secret</div><h1><a href="/">The Paper</a></h1>'
        '<table role="presentation"><tr><td>One <b>two</b></td><td aria-hidden="true">no</td></tr></table>'
        '<p>Before <a href="/x">a link</a> after</p><a href="/p"><img src="p.jpg" alt="A pier"></a>'
        '<img src="d.gif" alt="">'
    ) == [
        ("heading 1, link", "The Paper"),
        ("", "One two"),
        ("", "Before"),
        ("link", "a link"),
        ("", "after"),
        ("link, picture", "A pier"),
    ]


def test_what_a_listener_would_stumble_over_is_told() -> None:
    spoken = speak(
        Mail(
            '<html lang="en"><body><h1>A</h1><h3>B</h3><table><tr><td>x</td></tr></table><img src="/a/b.jpg">'
            '<a href="/x"></a><p lang="hi">नमस्ते</p></body></html>',
            "",
        )
    )
    faults = {one.words: one.fault for one in spoken if one.fault}
    assert set(faults) == {"B", "1 rows", "b.jpg", "/x"}
    assert next(one.language for one in spoken if one.words == "नमस्ते") == "hi"


# --- difference ------------------------------------------------------------------------------------------------------


def test_the_difference_names_what_is_new_and_gone_and_shows_only_lines_that_differ() -> None:
    lines = [f"line {number}" for number in range(40)]
    before = Side("daily@1", "Old", "p", 100, ("A", "B"), "\n".join(lines), "<p><b>")
    now = Side("daily@2", "New", "p", 120, ("B", "C"), "\n".join([*lines[:20], "changed", *lines[21:]]), "<p><i>")
    found = compare(before, now)
    assert [fact.name for fact in found.facts] == ["Subject", "HTML"]
    assert (found.added, found.kept, found.gone) == (("C",), ("B",), ("A",))
    assert [(line.sign, line.text) for line in found.text if line.sign in "+-"] == [("-", "line 20"), ("+", "changed")]
    assert len(found.text) == 8
    assert [line.text for line in found.html if line.sign == "+"] == ["<i>"]


def test_two_equal_messages_differ_in_nothing() -> None:
    side = Side("daily@1", "S", "p", 1, ("A",), "a\nb", "<p>")
    found = compare(side, side)
    assert (found.facts, found.text, found.html) == ((), (), ())


# --- weight ----------------------------------------------------------------------------------------------------------


def test_what_most_readers_lose_comes_first_but_never_before_an_error() -> None:
    def warning(rule: str, share: float = 0.0) -> Finding:
        return Finding(Severity.WARNING, rule, rule, "r", spot=Spot(element=3), share=share)

    found = [warning("dark"), warning("client", 0.55), warning("style-size"), Finding(Severity.ERROR, "alt", "a", "r")]
    groups = weigh(found, {"gmail": 0.3, "apple-mail": 0.6, "yahoo": 0.1})
    assert [(group.rule, group.share) for group in groups] == [
        ("alt", 1.0),
        ("dark", 0.6),
        ("client", 0.55),
        ("style-size", 0.3),
    ]
    assert groups[1].instances[0].element == 3


def test_without_shares_nobody_is_counted() -> None:
    groups = weigh([Finding(Severity.WARNING, "dark", "d", "r")] * 20, {"gmail": None})
    assert groups[0].share is None
    assert groups[0].more == 8
