"""Reading ``schedules.yaml``: what is right becomes types, what is wrong becomes one line with its place."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from newsletter.config.reading import default_file, load
from newsletter.errors import ConfigurationError, UsageError
from tests.config.files import GOOD, KEYS, SECRETS, fault_in, line_of, loaded, replaced, write


def test_a_good_file_becomes_types_with_defaults_and_places(tmp_path: Path) -> None:
    configuration = loaded(tmp_path)
    daily = configuration.newsletter("daily")
    assert daily.schedule.times == ("07:00",)
    assert daily.catch_up == timedelta(hours=2)
    assert configuration.relay("daily")[0] == "main"
    assert configuration.zone("daily") == "Asia/Kolkata"
    assert configuration.where("newsletters", "daily", "title") == "schedules.yaml:17"
    assert configuration.where("newsletters", "daily", "sections", 0, "max") == "schedules.yaml:23"
    assert configuration.where("newsletters", "daily", "subject") == "schedules.yaml:16", (
        "absent: its newsletter's line"
    )


def test_a_file_as_an_editor_writes_it_loads(tmp_path: Path) -> None:
    text = """\
site: {name: The Daily Example, url: "https://news.example", postal_address: "1 Press Lane, Chennai 600002, India",
       timezone: Asia/Kolkata, language: en, theme: {accent: "#0b5394", logo: assets/logo.png}}
environment: production            # staging: only `staging_recipients` are mailed; the rest is reported as held back
store: sqlite:///newsletter.db     # or postgresql://…
web: {url: "https://mail.news.example", listen: "127.0.0.1:8025"}
relays:
  main: {host: smtp.news.example, port: 587, tls: starttls, username: news, password: "${SMTP_PASSWORD}",
         connections: 10}
sources:
  front: {feed: "https://news.example/rss", every: 10m}
  desk: {folder: inbox, section: World}
newsletters:
  daily:
    title: The Daily Example
    from: "The Daily Example <daily@news.example>"
    design: daily
    schedule: {at: "07:00", days: [mon, tue, wed, thu, fri]}    # or {cron: "0 7 * * mon-fri"} or {every: 6h}
    catch_up: 2h
    compose_lead: 30m
    sections: [{name: National, match: {section: national}, max: 5}, {name: World, match: {source: desk}, max: 5}]
    articles: {min: 1, max: 15, max_age: 3d, overflow: carry}
    when_empty: skip               # or send
    in_doubt: resend               # or keep
    subject: "{{ lead.headline }}"
    preheader: "{{ articles[1:4] | map(attribute='headline') | join(' · ') }}"
"""
    assert loaded(tmp_path, text).newsletter("daily").subject == "{{ lead.headline }}"


def test_deliveries_are_kept_no_shorter_than_a_story_may_wait_for_an_edition(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).deliveries_kept == timedelta(days=90)
    assert loaded(tmp_path, replaced("newsletters:\n", "keep_deliveries: 14d\nnewsletters:\n")).deliveries_kept == (
        timedelta(days=14)
    )
    streams = "streams: {weekly: {schedule: {at: '09:00', days: [sun]}, articles: {max_age: 120d}}}"
    longest = loaded(tmp_path, replaced("    articles:", f"    {streams}\n    articles:")).deliveries_kept
    assert longest == timedelta(days=123), "and what a date may take to go round the earth"


AD = 'headline: A, url: "https://shop.example/a"'
CASES = {
    "YAML syntax": (
        replaced("    title: The Daily Example", "    title: [The Daily Example"),
        "    from:",
        "the file is not YAML",
        "",
    ),
    "unknown key": (
        replaced("    title:", "    sublect: x\n    title:"),
        "sublect",
        "'sublect' is not a key of newsletters.daily",
        "Did you mean 'subject'?",
    ),
    "unknown key at the top": (GOOD + "sorces: {}\n", "sorces", "'sorces' is not a key", "Did you mean 'sources'?"),
    "unknown key in a list": (replaced("max: 5\n", "maxx: 5\n"), "maxx", "sections[0]", "Did you mean 'max'?"),
    "bad cron": (replaced('{at: "07:00"}', "{cron: 0 25 * * mon}"), "cron:", "25", ""),
    "short cron": (replaced('{at: "07:00"}', "{cron: 0 7 * *}"), "cron:", "five fields", ""),
    "numeric weekday": (
        replaced('{at: "07:00"}', '{cron: "0 7 * * 1"}'),
        "cron:",
        "numbers mean different days in different crons",
        "",
    ),
    "unknown timezone": (replaced("Asia/Kolkata", "Asia/Kolkatta"), "timezone", "did you mean Asia/Kolkata?", ""),
    "literal password": (
        replaced('"${SMTP_PASSWORD}"', "hunter2"),
        "password",
        "relays.main.password: a password must not stand in this file",
        "${SMTP_PASSWORD}",
    ),
    "password as a default": (replaced("${SMTP_PASSWORD}", "${P:-hunter2}"), "password", "must not stand", ""),
    "numeric password": (replaced('"${SMTP_PASSWORD}"', "12345678"), "password", "must not stand", ""),
    "password in the store": (
        replaced("environment: production", "store: postgresql://me:hunter2@db/news"),
        "store:",
        "must not stand",
        "${DATABASE_PASSWORD}",
    ),
    "duplicate key": (
        replaced("    articles:", "    title: Another\n    articles:"),
        "Another",
        "'title' stands here twice, first on line 17",
        "Delete one",
    ),
    "wrong type": (replaced("max: 5\n", "max: five\n"), "max: five", "sections[0].max must be a whole number", ""),
    "a list where a mapping is due": (replaced('{at: "07:00"}', "[a]"), "schedule:", "must hold keys and values", ""),
    "missing key": (replaced("    title: The Daily Example\n", ""), "  daily:", "'title' is missing", "Add title:"),
    "time without quotes": (replaced('"07:00"', "7"), "schedule:", 'written "07:00", in quotes', ""),
    "one bad time of two": (replaced('"07:00"', '["07:00", "24:00"]'), "schedule:", "at[1]", ""),
    "duration without unit": (replaced("    articles:", "    catch_up: 2\n    articles:"), "catch_up", "its unit", ""),
    "duration beyond reason": (
        replaced("    articles:", "    catch_up: 999999999d\n    articles:"),
        "catch_up",
        "at most 3650d",
        "",
    ),
    "deliveries kept too briefly": (
        replaced("newsletters:\n", "keep_deliveries: 13d\nnewsletters:\n"), "13d", "kept for 14d at least", ""
    ),
    "unknown choice": (
        replaced("    articles:", "    in_doubt: maybe\n    articles:"),
        "maybe",
        "'resend' or 'keep'",
        "",
    ),
    "bad name": (replaced("  daily:", "  Daily News:"), "Daily News", "the name 'Daily News' in newsletters", ""),
    "header injection": (
        replaced("from: The Daily Example <daily@news.example>", 'from: "x <a@news.example>\\r\\nBcc: b@news.example"'),
        "Bcc",
        "one line",
        "",
    ),
    "from without a domain": (replaced("<daily@news.example>", "<daily>"), "from:", "not an e-mail address", ""),
    "no such relay": (replaced("    articles:", "    relay: mian\n    articles:"), "mian", "no relay 'mian'", "'main'"),
    "no such newsletter": (
        replaced("    articles:", "    related: [weekend]\n    articles:"), "weekend", "no newsletter 'weekend'", "",
    ),
    "related to itself": (
        replaced("    articles:", "    related: [daily]\n    articles:"), "[daily]", "not related to itself", "",
    ),
    "a promotion after nothing": (
        replaced("    articles:", f"    promotions: [{{{AD}, after: Wordl}}]\n    articles:"),
        "promotions", "no section 'Wordl'", "",
    ),
    "a promotion for no plan": (
        replaced("    articles:", f"    promotions: [{{{AD}, plans: [memebr]}}]\n    articles:"),
        "promotions", "no plan 'memebr'", "'member'",
    ),
    "no such source": (replaced("source: front", "source: frnt"), "frnt", "no source 'frnt'", "'front'"),
    "no such source in the fallback": (
        replaced("    articles:", "    fallback: {source: [front, fornt]}\n    articles:"), "fornt",
        "no source 'fornt'", "'front'",
    ),
    "no such source to rank": (
        replaced("    articles:", "    ranking:\n      sources: {front: 1, frond: 2}\n    articles:"), "frond",
        "no source 'frond'", "'front'",
    ),
    "a section ranked twice": (
        replaced("    articles:", "    ranking:\n      sections:\n        World: 1\n        WORLD: 2\n    articles:"),
        "WORLD: 2", "'World' and 'WORLD' are one section", "Leave one",
    ),
    "minimums beyond the edition's maximum": (
        replaced("        max: 5\n", "        max: 6\n        min: 6\n"), "min: 6\n".strip(),
        "add up to 6, more than articles.max: 5", "raise articles.max",
    ),
    "a minimum beyond its maximum": (
        replaced("        max: 5\n", "        max: 5\n        min: 6\n"), "- name: World",
        "min (6) is greater than max (5)", "",
    ),
    "a negative weight": (
        replaced("    articles:", "    ranking: {sources: {front: 0}}\n    articles:"), "ranking", "greater than 0", "",
    ),
    "too few articles": (replaced("min: 1, max: 5", "min: 9, max: 9"), "articles:", "never reached", "Lower"),
    "unknown language": (replaced("  timezone:", "  language: xx\n  timezone:"), "xx", "not a known language", ""),
    "no free plan": (replaced("sources:", "plans: {member: [free]}\nsources:"), "plans", "no plan 'free'", ""),
    "username without password": (replaced('    password: "${SMTP_PASSWORD}"\n', ""), "main:", "go together", ""),
    "password in the clear": (
        replaced("    username:", "    tls: none\n    username:"),
        "tls: none",
        "password in the clear",
        "starttls",
    ),
    "credentials in a feed": (replaced("//news.example/rss", "//me:pw@news.example/rss"), "feed", "printed in", ""),
    "a store in memory": (replaced("environment: production", 'store: "sqlite://"'), "store:", "must be a file", ""),
    "alias bomb": (
        GOOD + "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: &a",
        "unfolds to too much",
        "",
    ),
    "recursive alias": (GOOD + "plans: &p {free: *p}\n", "plans", "unfolds to too much", ""),
    "a tag": (replaced("name: The Daily Example", "name: !!python/name:os.system x"), "python", "tags", "plain value"),
    "a control character": (replaced("1 Press Lane", "1 \x00 Press Lane"), "\x00", "control character", ""),
    "an unquoted variable": (replaced('"${SMTP_PASSWORD}"', "{${SMTP_PASSWORD}}"), "password", "not YAML", '"${NAME}"'),
    "a variable left open": (
        replaced("1 Press Lane, Chennai", '"${PRESS"'),
        "PRESS",
        "a variable's name and '}'",
        "$${",
    ),
    "every that is no part of a day": (replaced('at: "07:00"', "every: 36h"), "every", "whole days", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_gives_one_line_with_its_place(case: str, tmp_path: Path) -> None:
    text, piece, what, remedy = CASES[case]
    fault = fault_in(tmp_path, text)
    assert fault.faults == [fault], "one mistake is one fault"
    assert fault.where == f"schedules.yaml:{line_of(text, piece)}"
    assert what in fault.what
    assert remedy in fault.remedy
    assert "hunter2" not in str(fault)
    assert fault.exit_code == 2


def test_a_missing_variable_is_named_with_the_line_that_wants_it(tmp_path: Path) -> None:
    for environ in ({}, {"SMTP_PASSWORD": ""}):
        fault = fault_in(tmp_path, GOOD, environ)
        assert fault.where == f"schedules.yaml:{line_of(GOOD, 'password')}"
        assert "SMTP_PASSWORD is not set" in fault.what
        assert fault.faults == [fault]


def test_all_faults_are_collected_and_the_first_says_how_many_more(tmp_path: Path) -> None:
    text = GOOD.replace("Asia/Kolkata", "Mars/Olympus").replace("max: 5\n", "maxx: 5\n").replace('"07:00"', '"7"')
    fault = fault_in(tmp_path, text, {})
    assert "3 more faults" in fault.what
    assert [each.where for each in fault.faults] == [
        f"schedules.yaml:{line_of(text, piece)}" for piece in ("Mars", "password", "schedule:", "maxx")
    ]
    assert fault.where == fault.faults[0].where
    assert all("more fault" not in each.what for each in fault.faults)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words", "null\n"])
def test_a_file_without_keys_says_so(text: str, tmp_path: Path) -> None:
    assert fault_in(tmp_path, text).where == "schedules.yaml:1"


def test_a_missing_file_a_folder_and_a_pipe_are_refused_by_name(tmp_path: Path) -> None:
    import os

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, what in ((tmp_path / "absent.yaml", "no such file"), (tmp_path, "a folder"), (pipe, "not an ordinary")):
        with pytest.raises(ConfigurationError, match=what) as caught:
            load(path, {}, keys=KEYS)
        assert caught.value.where == str(path)


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    fault = fault_in(tmp_path, GOOD.encode().replace(b"1 Press", b"1 Pr\xe9ss"))
    assert "not UTF-8" in fault.what
    assert fault.where == "schedules.yaml:4"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(file, SECRETS, keys=KEYS).where("newsletters", "daily", "title") == "schedules.yaml:17"


def test_a_folded_text_has_spaces_where_its_lines_were_folded(tmp_path: Path) -> None:
    text = GOOD + "    preheader: >-\n      One\n      and two:\n      three\n"
    assert loaded(tmp_path, text).newsletter("daily").preheader == "One and two: three"


def test_variables_come_from_the_environment_then_dotenv_then_the_default(tmp_path: Path) -> None:
    text = GOOD.replace("1 Press Lane, Chennai", '"${A} ${B} ${C:-default c} $${D} $E"')
    (tmp_path / ".env").write_text("# ours\nA=from file\nexport B='from file'\n")
    site = loaded(tmp_path, text, {**SECRETS, "A": "from environment"}).schedules.site
    assert site.postal_address == "from environment from file default c ${D} $E"


def test_a_port_may_be_a_variable(tmp_path: Path) -> None:
    text = replaced("    username:", '    port: "${PORT:-2525}"\n    username:')
    assert loaded(tmp_path, text).relay("daily")[1].port == 2525
    assert loaded(tmp_path, text, {**SECRETS, "PORT": "26"}).relay("daily")[1].port == 26


def test_a_broken_dotenv_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nSMTP_PASSWORD='hunter2\n")
    fault = fault_in(tmp_path, GOOD)
    assert fault.where == ".env:2"
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize("secret", ["Xy9!Secret", "Xy"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("postal_address: ", "1 Press Lane, Chennai"),
        ("timezone: ", "Asia/Kolkata"),
        ("at: ", '"07:00"'),
        ("tls: ", "starttls"),
        ("from: ", "The Daily Example <daily@news.example>"),
        ("language: ", "en"),
        ("max: ", "5"),
        ("accent: ", '"#7a1f1f"'),
        ("source: ", "front"),
        ("web: {url: ", '"https://mail.news.example"'),
        ("environment: ", "production"),
        ("catch_up: ", "2h"),
        ("  main:", "\n    host: smtp.news.example"),
    ],
)
def test_a_value_from_outside_is_never_shown_wherever_it_was_put(
    key: str, value: str, secret: str, tmp_path: Path
) -> None:
    text = GOOD.replace("  timezone:", '  language: en\n  theme: {accent: "#7a1f1f"}\n  timezone:').replace(
        "    username:", "    tls: starttls\n    username:"
    )
    text = text.replace("    articles:", "    catch_up: 2h\n    articles:")
    assert key + value in text
    try:
        shown = repr(
            loaded(tmp_path, text.replace(key + value, f'{key} "${{SMTP_PASSWORD}}"', 1), {"SMTP_PASSWORD": secret})
        )
    except ConfigurationError as error:
        shown = "".join(f"{each} {each!r} {each.args} {vars(each)}" for each in [error, *error.faults])
        shown += str(error.__cause__)
    assert secret.casefold() not in shown.casefold()


def test_a_value_from_outside_is_not_shown_in_other_letters_either(tmp_path: Path) -> None:
    text = replaced("- name: World", '- name: "${SMTP_PASSWORD}"\n      - name: "${SMTP_PASSWORD}"')
    fault = fault_in(tmp_path, text, {"SMTP_PASSWORD": "Xy9!Secret"})
    assert fault.what == "newsletters.daily: two sections are called '${SMTP_PASSWORD}'"


def test_secrets_are_in_no_repr_and_no_json(tmp_path: Path) -> None:
    text = replaced("environment: production", 'store: "postgresql://me:${DB}@db/news"')
    configuration = loaded(tmp_path, text, {**SECRETS, "DB": "database-secret"})
    assert configuration.store_url == "postgresql://me:database-secret@db/news"
    password = configuration.relay("daily")[1].password
    assert isinstance(password, SecretStr)
    assert password.get_secret_value() == SECRETS["SMTP_PASSWORD"]
    schedules = configuration.schedules
    shown = [repr(configuration), str(configuration), repr(schedules), str(schedules), schedules.model_dump_json()]
    shown += [json.dumps(schedules.model_dump(mode="json")), repr(configuration.relay("daily")), str(schedules.relays)]
    for secret in (SECRETS["SMTP_PASSWORD"], "database-secret"):
        assert all(secret not in one for one in shown)


def test_an_error_about_a_place_later_on_has_its_line_and_hides_what_came_from_outside(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GOOD + 'store: "postgresql://db/${DB}"\n', {**SECRETS, "DB": "x"})
    assert str(configuration.fault("no database x here", "store")) == "schedules.yaml:25: no database ${DB} here"


def test_paths_start_at_the_folder_of_the_file_and_absolute_ones_stay(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GOOD + "store: sqlite:///data/news.db?timeout=5\nmedia: /srv/media\n")
    assert configuration.store_url == f"sqlite:///{tmp_path}/data/news.db?timeout=5"
    assert configuration.store_file == tmp_path / "data" / "news.db"
    assert configuration.media_folder == Path("/srv/media")
    assert configuration.template_folders[0] == tmp_path / "templates"
    assert loaded(tmp_path, GOOD + "store: sqlite:////srv/news.db\n").store_url == "sqlite:////srv/news.db"


def test_an_unknown_newsletter_is_answered_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'daily'"):
        loaded(tmp_path).newsletter("dialy")


def test_the_file_is_the_one_that_the_environment_names() -> None:
    assert default_file({}) == Path("schedules.yaml")
    assert default_file({"NEWSLETTER_CONFIG": "/etc/news.yaml"}) == Path("/etc/news.yaml")


def test_a_missing_site_key_is_an_error_when_it_is_needed(tmp_path: Path) -> None:
    configuration = load(write(tmp_path), SECRETS)
    with pytest.raises(ConfigurationError, match="newsletter init"):
        _ = configuration.site_keys
    assert loaded(tmp_path).site_keys is KEYS
