"""The commands of ``python -m mojo_seq``.

The demo, in reading order. How it works: ``walk`` finds files, ``reader`` streams them to workers,
``worker`` turns bytes into figures, ``records`` are what they say to each other, ``demo`` makes the
sequences and pipes. What it shows: ``ledger`` keeps the results, ``progress`` and ``report``
print them.
"""
