"""A real DNS server on 127.0.0.1 that answers from a small zone: ``{("news.example", "TXT"): ['"v=spf1 -all"']}``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]


class DnsServer:
    """``with DnsServer(zone) as server: … server.address``. Names it does not know do not exist; ``silent`` ones get
    no answer at all."""

    def __init__(self, zone: Zone, *, silent: frozenset[str] = frozenset()) -> None:
        self.zone, self.silent, self.asked = zone, silent, list[tuple[str, str]]()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, peer = self._socket.recvfrom(4096)
            if not packet:
                return
            query = dns.message.from_wire(packet)
            question = query.question[0]
            name = question.name.to_text(omit_final_dot=True).lower()
            kind = dns.rdatatype.to_text(question.rdtype)
            self.asked.append((name, kind))
            if name in self.silent:
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            records = self.zone.get((name, kind), ())
            if records:
                answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, list(records)))
            elif not any(known == name or known.endswith(f".{name}") for known, _ in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), peer)
