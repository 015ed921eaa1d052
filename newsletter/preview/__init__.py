"""The local preview: what a send would put on the wire, looked at before anyone receives it. Loopback only.

    choice (newsletter, edition, reader, time) -> choosing -> making -> the message's very bytes -> showing -> page

``making`` goes the way of a send and writes nothing; ``scenarios`` and ``sampling`` stand sample stories in for the
store's. What is said of the bytes is decided by pure functions: ``profiles``, ``ruler``, ``inspecting``, ``speaking``,
``comparing``, ``weighing``. ``workbench`` keeps what was made, ``pages`` and ``app`` show it, ``picturing`` draws it,
``protection`` keeps others out, ``watching`` tells what was saved, ``serving`` runs it.
"""
