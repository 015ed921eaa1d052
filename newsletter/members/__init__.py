"""Readers and their consent: addresses, signed links, subscribing and unsubscribing, CSV in and out.

Text from outside comes in through ``addresses`` and ``exchange``, acts of readers through ``web`` and ``cli``; what is
decided here is written by ``store`` in one transaction an act, together with its row in the consent ledger.
"""
