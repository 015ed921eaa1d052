"""``dkim``: make the keys that sign mail, and print what DNS has to say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import known
from newsletter.cli.options import Json, options_of, print_json
from newsletter.errors import ConfigurationError, NothingToDo, UsageError

if TYPE_CHECKING:
    from newsletter.deliver.dkim import SigningKey

_KINDS = ("rsa", "ed25519")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="dkim", help="Keys that sign mail, and their DNS records.", no_args_is_help=True)
    group.command("keygen")(keygen)
    group.command("show")(show)
    app.add_typer(group)


def keygen(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of your From addresses")],
    selector: Annotated[
        str, typer.Option("--selector", help="Its name in DNS; a new key takes a new one. Default: kind, year, month")
    ] = "",
    kind: Annotated[str, typer.Option("--type", help="rsa (2048 bits, which every receiver knows) or ed25519")] = "rsa",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: dkim/DOMAIN.SELECTOR.pem beside the config")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a new private key, and print its DNS record and what schedules.yaml has to say."""
    from pydantic import TypeAdapter, ValidationError

    from newsletter.config.dkim import DkimKey, Domain
    from newsletter.deliver.dkim import SigningKey, new_key, pem

    options = options_of(context)
    configuration = options.configuration()
    known("type", kind, _KINDS)
    selector = selector or f"{kind}{options.clock():%Y%m}"
    try:
        domain = TypeAdapter[str](Domain).validate_python(domain)
        DkimKey(selector=selector, key=Path("-"))
    except ValidationError as error:
        raise UsageError(f"{domain}, selector {selector}: {error.errors()[0]['msg']}") from None
    written = Path("dkim") / f"{domain}.{selector}.pem" if out is None else out
    key = SigningKey(domain, selector, new_key(kind))
    _write(configuration.resolve(written) if out is None else out, pem(key.private))
    facts = _facts(key) | {"file": written}
    if as_json:
        print_json(facts)
        return
    typer.echo(f"Wrote {written}. Back it up, and keep it out of repositories.\n\nIn your DNS:\n\n{facts['zone']}\n")
    typer.echo(f"In schedules.yaml, once that can be seen (`newsletter doctor {domain}`):\n\n{_yaml(key, written)}")


def show(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(metavar="[DOMAIN]", help="Default: all")] = "",
    as_json: Json = False,
) -> None:
    """Print the DNS records of the keys in schedules.yaml."""
    from newsletter.deliver.configured import dkim_signers

    options = options_of(context)
    signers = dkim_signers(options.configuration())
    if domain:
        known("dkim domain", domain, signers)
    facts = [_facts(key) for name, signer in signers.items() if domain in ("", name) for key in signer.keys]
    if not facts and not as_json:
        raise NothingToDo("no mail is signed here", remedy="`newsletter dkim keygen DOMAIN` makes a key")
    if as_json:
        print_json(facts)
        return
    for one in facts:
        typer.echo(one["zone"])


def _facts(key: SigningKey) -> dict[str, Any]:
    from newsletter.deliver.dkim import dns_record, zone_line

    name = f"{key.selector}._domainkey.{key.domain}"
    record = dns_record(key.private)
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "name": name,
        "record": record,
        "zone": zone_line(name, record),
    }


def _yaml(key: SigningKey, file: Path) -> str:
    return f"dkim:\n  {key.domain}:\n    keys:\n      - {{selector: {key.selector}, key: {file}}}"


def _write(path: Path, content: bytes) -> None:
    from newsletter.config.secret_file import write_new_secret

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new_secret(path, content)
    except FileExistsError:
        raise UsageError(
            "there is a key already, and mail on its way is verified with it",
            where=str(path),
            remedy="Give another --selector, or --out",
        ) from None
    except OSError as error:
        raise ConfigurationError(f"the key cannot be written: {error.strerror}", where=str(path)) from None
