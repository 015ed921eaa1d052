"""The doctor's judgement, asked over a real DNS server: what a mailbox provider would say of a domain."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.config.models import Relay
from newsletter.deliver.dkim import DkimSigner, SigningKey, dns_record, new_key
from newsletter.deliver.doctor import dmarc, spf
from newsletter.deliver.doctor.examining import Mailing, judge_alignment, judge_key, names
from newsletter.deliver.doctor.verdict import Health, Verdict
from newsletter.errors import LookupFailed, UsageError
from newsletter.net.dns_lookup import Dns
from tests.support.dns_server import DnsServer, Zone

OURS = "198.51.100.7"


def txt(text: str) -> list[str]:
    return [" ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))]


async def spf_of(zone: Zone, address: str = OURS, domain: str = "news.example") -> spf.SpfResult:
    with DnsServer(zone) as server:
        return await spf.evaluate(Dns(server.address), domain, address)


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:198.51.100.0/24 -all", "pass"),
        ("v=spf1 ip4:203.0.113.0/24 -all", "fail"),
        ("v=spf1 ip4:203.0.113.0/24 ~all", "softfail"),
        ("v=spf1 ip4:203.0.113.0/24", "neutral"),
        ("v=spf1 a -all", "pass"),
        ("v=spf1 a:out.news.example -all", "fail"),
        ("v=spf1 a:out.news.example/16 -all", "pass"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 include:_spf.relay.example -all", "pass"),
        ("v=spf1 -include:_spf.relay.example +all", "fail"),
        ("v=spf1 redirect=_spf.relay.example", "pass"),
        ("v=spf1 exists:out.news.example -all", "pass"),
        ("v=spf1 ptr -all", "fail"),
        ("v=spf1 moo=baa ip4:198.51.100.7 -all", "pass"),
        ("v=spf1 ip4:198.51.100.300 -all", "permerror"),
        ("v=spf1 ipv4:198.51.100.7 -all", "permerror"),
        ("v=spf1 include:nothing.example -all", "permerror"),
        ("v=spf1 include:news.example -all", "permerror"),
        ("v=spf1 redirect=news.example", "permerror"),
        ("V=SPF1 IP4:198.51.100.7 -ALL", "pass"),
    ],
)
async def test_spf_comes_to_what_rfc_7208_says(record: str, result: str) -> None:
    zone = {
        ("news.example", "TXT"): [*txt("google-site-verification=x"), *txt(record)],
        ("news.example", "A"): [OURS],
        ("news.example", "MX"): ["10 in.news.example."],
        ("in.news.example", "A"): [OURS],
        ("out.news.example", "A"): ["198.51.1.1"],
        ("_spf.relay.example", "TXT"): txt("v=spf1 ip4:198.51.100.0/25 -all"),
    }
    assert (await spf_of(zone)).result == result


async def test_spf_of_an_ipv6_address() -> None:
    zone = {("news.example", "TXT"): txt("v=spf1 ip6:2001:db8::/32 -all")}
    assert (await spf_of(zone, "2001:db8::7")).result == "pass"
    assert (await spf_of(zone, "2001:db9::7")).result == "fail"


async def test_more_than_ten_look_ups_are_counted_also_where_the_first_matches() -> None:
    names = [f"s{number}.example" for number in range(11)]
    record = "v=spf1 ip4:198.51.100.7 " + " ".join(f"include:{name}" for name in names) + " -all"
    zone = {("news.example", "TXT"): txt(record)} | {(name, "TXT"): txt("v=spf1 -all") for name in names}
    result = await spf_of(zone)
    assert (result.result, result.lookups) == ("permerror", 11)
    (verdict,) = spf.judge_spf("news.example", [record], {OURS: result})
    assert verdict.health is Health.FAIL
    assert "11 look-ups" in verdict.says


async def test_two_records_are_none() -> None:
    zone = {("news.example", "TXT"): [*txt("v=spf1 -all"), *txt("v=spf1 a -all")]}
    assert (await spf_of(zone)).result == "permerror"
    assert spf.judge_spf("news.example", ["v=spf1 -all", "v=spf1 a -all"], {})[0].health is Health.FAIL


async def test_plus_all_fails() -> None:
    result = await spf_of({("news.example", "TXT"): txt("v=spf1 +all")})
    assert spf.judge_spf("news.example", ["v=spf1 +all"], {OURS: result})[0].health is Health.FAIL


@pytest.mark.parametrize("kind", ["redirect", "exp"])
async def test_a_modifier_that_stands_twice_is_an_error(kind: str) -> None:
    record = f"v=spf1 ip4:{OURS} {kind}=a.example {kind.upper()}=b.example"
    zone = {("news.example", "TXT"): txt(record)} | {(f"{one}.example", "TXT"): txt("v=spf1 -all") for one in "ab"}
    result = await spf_of(zone)
    assert result.result == "permerror"
    assert result.errors == (f"news.example has more than one {kind}=",)


@pytest.mark.parametrize(
    ("terms", "address", "result"),
    [
        ("a:v1.example exists:v2.example", OURS, "pass"),
        ("a:v1.example exists:v2.example mx:v3.example", OURS, "permerror"),
        ("a:v1.example a:v2.example a:six.example", OURS, "permerror"),
        ("a:v1.example a:v2.example a:six.example", "2001:db8::7", "pass"),
        ("mx:with.example", OURS, "permerror"),
    ],
)
async def test_more_than_two_look_ups_that_find_nothing_are_an_error(terms: str, address: str, result: str) -> None:
    zone = {
        ("news.example", "TXT"): txt(f"v=spf1 {terms} ip4:{OURS} ip6:2001:db8::/32 -all"),
        ("six.example", "AAAA"): ["2001:db8::7"],
        ("with.example", "MX"): [f"10 gone{number}.example." for number in range(3)],
    }
    assert (await spf_of(zone, address)).result == result


async def test_exists_asks_for_an_ipv4_address_whoever_sends() -> None:
    zone = {("news.example", "TXT"): txt("v=spf1 exists:four.example -all"), ("four.example", "A"): [OURS]}
    assert (await spf_of(zone, "2001:db8::7")).result == "pass"
    zone = {("news.example", "TXT"): txt("v=spf1 exists:six.example -all"), ("six.example", "AAAA"): ["2001:db8::7"]}
    assert (await spf_of(zone, "2001:db8::7")).result == "fail"


@pytest.mark.parametrize(("exchangers", "result"), [(10, "pass"), (11, "permerror")])
async def test_more_than_ten_mail_exchangers_of_one_term_are_an_error(exchangers: int, result: str) -> None:
    names = [f"in{number}.example" for number in range(exchangers)]
    zone: dict[tuple[str, str], list[str]] = {(name, "A"): [OURS] for name in names}
    zone["news.example", "TXT"] = txt("v=spf1 mx -all")
    zone["news.example", "MX"] = [f"10 {name}." for name in names]
    assert (await spf_of(zone)).result == result


async def dmarc_of(records: dict[str, list[str]], domain: str, *also: str) -> tuple[dmarc.TreeWalk, list[Verdict]]:
    """What is found and judged where these domains have DMARC records, and ``also`` the names of others exist."""
    zone = {(f"_dmarc.{name}", "TXT"): [one for text in texts for one in txt(text)] for name, texts in records.items()}
    with DnsServer(zone | {(name, "A"): [OURS] for name in also}) as server:
        resolver = Dns(server.address)
        walked = await dmarc.walk(resolver, domain)
        assert len(server.asked) <= dmarc.MOST_QUERIES
        return walked, dmarc.judge_dmarc(walked, exists=await resolver.exists(domain))


@pytest.mark.parametrize(
    ("zone", "domain", "organization", "health"),
    [
        ({"news.example": "v=DMARC1; p=reject; rua=mailto:d@news.example"}, "news.example", "news.example", "pass"),
        ({"news.example": "v=DMARC1; p=reject; rua=mailto:d@x"}, "mail.news.example", "news.example", "pass"),
        ({"news.example": "v=DMARC1; p=reject; sp=none; rua=mailto:d@x"}, "m.news.example", "news.example", "warning"),
        ({"news.example": "v=DMARC1; p=none; rua=mailto:d@x"}, "news.example", "news.example", "warning"),
        ({"news.example": "v=DMARC1; p=maybe; rua=mailto:d@x"}, "news.example", "news.example", "fail"),
        ({}, "news.example", "news.example", "fail"),
        ({"news.example": "p=reject; v=DMARC1"}, "news.example", "news.example", "fail"),
        ({"co.example": "v=DMARC1; psd=y; p=reject; rua=mailto:d@x"}, "a.news.co.example", "news.co.example", "pass"),
        (
            {"a.news.example": "v=DMARC1; p=reject; psd=n; rua=mailto:d@x", "news.example": "v=DMARC1; p=none"},
            "a.news.example",
            "a.news.example",
            "pass",
        ),
        ({"e.example": "v=DMARC1; p=reject; rua=mailto:d@x"}, "1.2.3.4.5.6.7.8.9.e.example", "e.example", "pass"),
    ],
)
async def test_the_policy_is_found_by_walking_up(
    zone: dict[str, str], domain: str, organization: str, health: str
) -> None:
    walked, verdicts = await dmarc_of({name: [text] for name, text in zone.items()}, domain, domain)
    assert walked.organization == organization
    assert verdicts[0].health.value == health


BETWEEN = "v=DMARC1; p=reject; rua=mailto:d@x"


@pytest.mark.parametrize(
    ("zone", "domain", "says"),
    [
        # One that stands between the Author Domain and its organisation counts for nothing.
        (
            {"b.news.example": BETWEEN, "news.example": "v=DMARC1; p=reject; sp=none"},
            "a.b.news.example",
            "sp=none at news.example",
        ),
        ({"b.news.example": BETWEEN, "news.example": "v=DMARC1; p=none"}, "b.news.example", "p=reject at b.news"),
        (
            {"b.news.example": f"{BETWEEN}; psd=n", "news.example": "v=DMARC1; p=none"},
            "a.b.news.example",
            "p=reject at b.news.example",
        ),
        (
            {"b.news.example": BETWEEN, "example": "v=DMARC1; psd=y; p=none"},
            "a.b.news.example",
            "p=none at example",
        ),
        ({"news.example": "v=DMARC1; p=Reject; SP=None"}, "a.news.example", "sp=none at news.example"),
        ({"news.example": "v=DMARC1; p=none; np=reject"}, "a.news.example", "p=none at news.example"),
        ({"news.example": "v=DMARC1; p=none; np=reject"}, "news.example", "p=none at news.example"),
        ({"news.example": "v=DMARC1; p=reject; np=maybe"}, "news.example", "np=maybe at news.example is no policy"),
        ({"news.example": "v=DMARC1; rua=mailto:d@x"}, "news.example", "p=none at news.example"),
    ],
)
async def test_the_policy_is_the_author_domains_or_its_organisations(
    zone: dict[str, str], domain: str, says: str
) -> None:
    _, verdicts = await dmarc_of({name: [text] for name, text in zone.items()}, domain, domain)
    assert verdicts[0].says.startswith(says)


@pytest.mark.parametrize(
    ("tags", "says"),
    [("p=none; np=reject", "np=reject at"), ("p=none; sp=reject", "sp=reject at"), ("p=none", "p=none")],
)
async def test_a_domain_that_dns_does_not_know_has_the_policy_of_such(tags: str, says: str) -> None:
    _, verdicts = await dmarc_of({"news.example": [f"v=DMARC1; {tags}"]}, "nowhere.news.example")
    assert verdicts[0].says.startswith(says)


async def test_of_several_records_none_counts_and_the_walk_goes_on() -> None:
    records = {"m.news.example": ["v=DMARC1; p=reject", "v=DMARC1; p=none"], "news.example": ["v=DMARC1; p=quarantine"]}
    walked, verdicts = await dmarc_of(records, "m.news.example", "m.news.example")
    assert walked.repeated == ("m.news.example",)
    assert [(one.health.value, one.says) for one in verdicts[:2]] == [
        ("fail", "m.news.example has more than one record, so none of them counts"),
        ("pass", "p=quarantine at news.example"),
    ]


def test_what_rfc_9989_took_away_is_told() -> None:
    record = dmarc.DmarcRecord("news.example", {"v": "DMARC1", "p": "reject", "pct": "50", "t": "y"})
    said = " ".join(one.says for one in dmarc.judge_dmarc(dmarc.TreeWalk("news.example", (record,)), exists=True))
    assert "pct is no longer" in said
    assert "t=y" in said
    assert "nobody gets its reports" in said


@pytest.mark.parametrize(
    ("signs", "envelope", "tags", "health"),
    [
        ("news.example", "bounce.relay.example", {}, "pass"),
        ("mail.news.example", "news.example", {}, "pass"),
        ("mail.news.example", "relay.example", {"adkim": "s"}, "fail"),
        ("relay.example", "news.example", {}, "fail"),
        ("", "news.example", {}, "warning"),
        ("", "bounce.news.example", {"aspf": "s"}, "fail"),
        ("", "relay.example", {}, "fail"),
    ],
)
def test_alignment_is_judged_as_a_receiver_would(signs: str, envelope: str, tags: dict[str, str], health: str) -> None:
    signer = DkimSigner((SigningKey(signs, "s", new_key("ed25519")),)) if signs else None
    walked = dmarc.TreeWalk("news.example", (dmarc.DmarcRecord("news.example", tags),))
    (verdict,) = judge_alignment(Mailing("news.example", {}, (envelope,), signer), walked)
    assert verdict.health.value == health
    assert bool(verdict.fix) == (health != "pass")


def test_a_key_is_compared_with_what_dns_holds() -> None:
    key, other = (SigningKey("news.example", "s", new_key("ed25519")) for _ in range(2))
    mine = dns_record(key.private)

    def judged(*records: str) -> str:
        return judge_key(key, "s._domainkey.news.example", list(records)).health.value

    assert judged(mine) == "pass"
    assert judged(mine.replace("p=", "p= ")) == "pass"
    assert judged(f"{mine}; t=y") == "warning"
    assert [judged(), judged(mine, mine), judged(dns_record(other.private)), judged("v=DKIM1; p=")] == ["fail"] * 4


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize(
    ("tags", "health", "says"),
    [
        ("v=DKIM1; k={k}", "pass", "public half"),
        ("k={k}", "pass", "public half"),
        ("v=DKIM1; k={k}; h=sha1:sha256; s=email", "pass", "public half"),
        ("v=DKIM1; k={k}; s=tlsrpt:*", "pass", "public half"),
        ("v=DKIM1; k={other}", "fail", "k={other}"),
        ("v=DKIM2; k={k}", "fail", "v="),
        ("k={k}; v=DKIM1", "fail", "v="),
        ("v=DKIM1; k={k}; h=sha1", "fail", "h=sha1 leaves out sha256"),
        ("v=DKIM1; k={k}; s=tlsrpt", "fail", "s=tlsrpt leaves out email"),
        ("v=DKIM1; k={k}; t=s:y", "warning", "t=y"),
    ],
)
def test_a_key_record_must_be_one_that_verifiers_use(kind: str, tags: str, health: str, says: str) -> None:
    key = SigningKey("news.example", "s", new_key(kind))
    words = {"k": kind, "other": "rsa" if kind == "ed25519" else "ed25519"}
    record = f"{tags.format(**words)}; p={dns_record(key.private).rpartition('p=')[2]}"
    verdict = judge_key(key, "s._domainkey.news.example", [record])
    assert verdict.health.value == health
    assert says.format(**words) in verdict.says
    assert bool(verdict.fix) == (health != "pass")


def test_a_key_record_without_k_is_one_of_rsa() -> None:
    rsa, edwards = (SigningKey("news.example", "s", new_key(kind)) for kind in ("rsa", "ed25519"))

    def judged(key: SigningKey) -> str:
        record = f"v=DKIM1; p={dns_record(key.private).rpartition('p=')[2]}"
        return judge_key(key, "s._domainkey.news.example", [record]).health.value

    assert (judged(rsa), judged(edwards)) == ("pass", "fail")


@pytest.mark.parametrize(
    ("pointer", "forward", "health"),
    [
        (["out.news.example."], "8.9.10.11", "pass"),
        (["out.news.example."], "8.9.10.12", "fail"),
        ([], "8.9.10.11", "fail"),
        (["pool-11.isp.example.", "out.news.example."], "8.9.10.11", "pass"),
    ],
)
async def test_forward_and_reverse_names_of_a_relay_must_agree(pointer: list[str], forward: str, health: str) -> None:
    zone = {
        ("relay.example", "A"): ["8.9.10.11"],
        ("11.10.9.8.in-addr.arpa", "PTR"): pointer,
        ("out.news.example", "A"): [forward],
    }
    with DnsServer(zone) as server:
        (verdict,) = await names(Dns(server.address), "main", Relay(host="relay.example"))
    assert verdict.health.value == health


async def test_no_answer_is_another_thing_than_no_record() -> None:
    with DnsServer({("news.example", "A"): [OURS]}, silent=frozenset({"_dmarc.news.example"})) as server:
        resolver = Dns(server.address)
        resolver._resolver.lifetime = 0.3
        assert await resolver.txt("news.example") == []
        assert await resolver.txt("nowhere.example") == []
        with pytest.raises(LookupFailed, match=r"_dmarc\.news\.example"):
            await resolver.txt("_dmarc.news.example")


@pytest.mark.parametrize("text", ["dns.example", "127.0.0.1:x", "1.2.3"])
def test_a_name_server_is_an_address(text: Any) -> None:
    with pytest.raises(UsageError, match="name server"):
        Dns(text)
