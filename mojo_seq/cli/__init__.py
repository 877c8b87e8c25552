"""The commands of ``python -m mojo_seq``: ``demo``, and ``bench``, which is a package of its own.

The demo, in reading order. How it works: ``walk`` finds files, ``open_file`` reads one of them,
``lane`` streams them to one worker, ``reader`` deals them out to all, ``worker`` turns bytes into
figures, ``records`` are what they say to each other, ``workers`` puts workers on sequences or into
processes, ``demo`` makes the sequences and pipes. What it shows: ``ledger`` keeps the results,
``lost_worker`` is one of them, ``progress`` and ``report`` print them. Both commands: ``tables``.
"""
