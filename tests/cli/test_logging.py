"""What is logged names no reader: nobody is erased from a log."""

from __future__ import annotations

import logging

import pytest
import structlog

from newsletter.cli.options import configure_logging, without_addresses


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("550 5.1.1 <ann+a@readers.example>: unknown", "550 5.1.1 <…@…>: unknown"),
        ("'ann@xn--bcher-kva.example' is not a mail address", "'…@…' is not a mail address"),
        ("to=ANN%40readers.example, refused", "to=…@…, refused"),
        ("no address: 450 4.2.1 busy @ noon", "no address: 450 4.2.1 busy @ noon"),
        ("sent daily@2026-11-01/1/Asia/Kolkata@07:00", "sent daily@2026-11-01/1/Asia/Kolkata@07:00"),
    ],
)
def test_an_address_is_not_written(text: str, written: str) -> None:
    assert without_addresses(text) == written


def test_neither_our_log_nor_a_librarys_names_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        configure_logging(debug=False, staying=True)
        structlog.get_logger().error("relay went down", error="421 ann@readers.example: too many")
        logging.getLogger("a.library").warning("mail to %s failed", "ann@readers.example")
    finally:
        root.handlers = before
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert "relay went down" in written
    assert "a.library" in written
    assert "readers.example" not in written
