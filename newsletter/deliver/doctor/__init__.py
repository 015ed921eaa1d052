"""Is a domain set up as the large mailbox providers ask of bulk senders? DNS, relays and settings -> verdicts."""
