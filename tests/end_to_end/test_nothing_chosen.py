"""``nothing_chosen``: what a reader gets of whose chosen sections today's edition holds nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.config.reading import Configuration, load
from newsletter.deliver.copies import browser_copy
from newsletter.errors import NothingToSend
from newsletter.model import DeliveryState, EditionName, Reason, StreamName
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import make_preview
from newsletter.schedule.explaining import Answer, Outcome, why
from newsletter.store import Store, deliveries, occurrences, subscribers
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import wait_for

ANN, BEN = "ann@readers.example", "ben@readers.example"
NATIONAL, WORLD = "name: National, match: {section: National}", "name: World, match: {section: World}"
ALONE = "none of them held a story: the lead alone"
EVENING = f"""
  evening:
    title: The Evening
    from: "The Evening <evening@news.example>"
    schedule: {not_soon()}
    unless_sent: today
    nothing_chosen: lead
    sections: [{{{NATIONAL}}}, {{{WORLD}}}]
    articles: {{min: 1, max: 9, max_age: 30d}}
    gates: {{web: false}}"""


def a_site(folder: Path, store_url: str, server: SmtpServer, nothing_chosen: str, *, more: str = "") -> SiteFolder:
    """Ann chose World of ``daily``, Ben nothing; there are three stories, all of National."""
    said = f"nothing_chosen: {nothing_chosen}{more}"
    site = SiteFolder(folder, store_url, server.port, more=said, schedule=not_soon())
    file = folder / "schedules.yaml"
    file.write_text(file.read_text().replace(f"{{{NATIONAL}, max: 5}}", f"{{{NATIONAL}}}, {{{WORLD}}}"))
    subscribe(site, ANN, "daily", sections="World")
    subscribe(site, BEN, "daily")
    site.fill(stories=3)
    return site


def subscribe(site: SiteFolder, who: str, newsletter: str, *, sections: str = "") -> None:
    chosen = ("--sections", sections) if sections else ()
    added = site.command("subscribers", "add", who, "-n", newsletter, *chosen)
    assert added.code == 0, added.err


def send(site: SiteFolder, newsletter: str = "daily") -> None:
    sent = site.command("send", newsletter, "--yes", "--no-collect")
    assert sent.code == 0, sent.err


def rehearsed(site: SiteFolder) -> tuple[int, dict[str, int], int]:
    """Messages, who is skipped by reason, and failures of a rehearsal."""
    ran = site.command("send", "daily", "--rehearse", "--no-collect", "--json")
    facts = ran.json
    return facts["messages"], facts["skipped"], facts["failed"]


def mails_to(server: SmtpServer, who: str) -> list[Accepted]:
    return [one for one in server.accepted if one.recipient == who]


def stories_in(accepted: Accepted, kind: str) -> set[int]:
    """The numbers of the stories that one part of a mail names."""
    body = accepted.message.get_body((kind,))
    assert body is not None
    text = body.get_content().upper()
    return {number for number in range(1, 9) if f"STORY NUMBER {number} OF THE TEST" in text}


def lead_of(accepted: Accepted) -> int:
    return int(str(accepted.message["Subject"]).removesuffix(" of the test").rpartition(" ")[2])


def edition_of(store: Store, newsletter: str = "daily") -> EditionName:
    row = next(row for row in store.read(occurrences.listing, newsletter=newsletter) if row.by_hand)
    return EditionName(newsletter, row.occurrence)


def said_of(site: SiteFolder, who: str, newsletter: str = "daily") -> Answer:
    with site.open() as store:
        return why(configuration_of(site), store, who, edition_of(store, newsletter), datetime.now(UTC))


def configuration_of(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def test_with_lead_she_gets_the_lead_and_nothing_else_and_every_answer_says_so(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, store_url, server, "lead")
        with site.open() as store:
            for reader in (ANN, KeyFacts(sections=("World",))):
                shown = make_preview(
                    configuration_of(site), store, StreamName("daily"), reader=reader, now=datetime.now(UTC)
                )
                assert "None of her sections holds a story today: she gets the lead alone." in shown.notices
                assert sum(one.shown for one in shown.stories) == 1
                assert shown.preheader == ""
            whole = make_preview(configuration_of(site), store, StreamName("daily"), reader=BEN, now=datetime.now(UTC))
            assert not any("lead alone" in notice for notice in whole.notices)
        assert rehearsed(site) == (2, {}, 0)
        send(site)
        (hers,), (his,) = mails_to(server, ANN), mails_to(server, BEN)
        lead = lead_of(his)
        assert lead_of(hers) == lead
        assert stories_in(his, "html") == stories_in(his, "plain") == {1, 2, 3}
        assert stories_in(hers, "html") == stories_in(hers, "plain") == {lead}
        said = said_of(site, ANN)
        assert said.outcome is Outcome.SENT
        assert f"sections World, as chosen; {ALONE}; 1 of 3 stories; " in said.sentence
        assert ALONE not in said_of(site, BEN).sentence
        with site.open() as store:
            ann = store.read(subscribers.by_address, ANN)
            assert ann is not None
            name = edition_of(store)
            page = asyncio.run(
                browser_copy(configuration_of(site), store, ann.id, StreamName("daily"), name.occurrence)
            )
            assert page is not None
            assert [f"Story number {number} of" in page for number in (lead, *{1, 2, 3} - {lead})] == [
                True,
                False,
                False,
            ]
        correcting = site.command("editions", "correct", str(name), "--note", "We were wrong.", "--yes")
        assert correcting.code == 0, correcting.err
        wait_for(lambda: len(mails_to(server, ANN)) == 2, "her correction")
        assert mails_to(server, ANN)[1].message["Subject"] == f"Correction: {hers.message['Subject']}"


def test_with_skip_she_gets_none_and_a_later_change_does_not_say_otherwise(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, f"sqlite:///{tmp_path}/n.db", server, "skip")
        with site.open() as store, pytest.raises(NothingToSend, match="holds no story in the sections World"):
            make_preview(configuration_of(site), store, StreamName("daily"), reader=ANN, now=datetime.now(UTC))
        assert rehearsed(site) == (1, {"no_stories": 1}, 0)
        send(site)
        assert [one.recipient for one in server.accepted] == [BEN]
        file = tmp_path / "schedules.yaml"
        file.write_text(file.read_text().replace("nothing_chosen: skip", "nothing_chosen: lead"))
        said = said_of(site, ANN)
        assert (said.outcome, said.reason) == (Outcome.SKIPPED, Reason.NO_STORIES)
        assert ALONE not in said.sentence
        assert "; 0 of 3 stories; " in said.sentence


def test_who_had_the_lead_elsewhere_that_day_gets_none_and_what_a_lead_alone_carried_counts(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, store_url, server, "lead", more=EVENING)
        send(site)
        carried = lead_of(mails_to(server, ANN)[0])
        subscribe(site, ANN, "evening")
        subscribe(site, BEN, "evening", sections="World")
        send(site, "evening")
        assert stories_in(mails_to(server, ANN)[1], "plain") == {1, 2, 3} - {carried}
        assert len(mails_to(server, BEN)) == 1
        said = said_of(site, BEN, "evening")
        assert (said.outcome, said.reason) == (Outcome.SKIPPED, Reason.ALL_HAD)
        assert f"{ALONE}; 0 of 3 stories; 1 left out because daily carried it at " in said.sentence


def test_where_nothing_leads_the_first_story_goes_as_it_stands_in_its_section(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, f"sqlite:///{tmp_path}/n.db", server, "lead\n    lead: none")
        send(site)
        (hers,), (his,) = mails_to(server, ANN), mails_to(server, BEN)
        assert stories_in(hers, "html") == stories_in(hers, "plain") == {lead_of(his)}
        body = hers.message.get_body(("plain",))
        assert body is not None
        assert "NATIONAL" in body.get_content()


def test_an_edition_without_any_story_is_still_skipped_for_all(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, f"sqlite:///{tmp_path}/n.db", server, "lead")
        send(site)
        assert site.command("send", "daily", "--yes", "--no-collect").code != 0
        with site.open() as store:
            rows = store.read(deliveries.listing, newsletter="daily")
        assert {row.state for row in rows} == {DeliveryState.SENT}
        assert len(rows) == 2
