"""Outbox -> relay: claim, assemble, speak SMTP, record. The only room that speaks SMTP."""
