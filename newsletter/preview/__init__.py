"""The local preview: what a send would put on the wire, looked at before anyone receives it. Loopback only.

    choice (newsletter, edition, reader) -> choosing -> making -> the message's very bytes -> showing -> page or file

``making`` goes the way of a send and writes nothing; ``app`` is the workbench, ``protection`` keeps others out of it,
``watching`` tells it what was saved, ``serving`` runs it.
"""
