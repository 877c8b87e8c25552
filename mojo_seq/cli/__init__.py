"""The commands of ``python -m mojo_seq``.

The demo, in reading order: ``walk`` finds files, ``worker`` turns a stream of bytes into figures,
``reader`` streams files to workers, ``ledger`` keeps the results, ``report`` shows them, and
``demo`` wires them together.
"""
