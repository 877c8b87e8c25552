"""How fast it is on this machine, beside the alternatives: ``python -m mojo_seq bench``.

In reading order. A `case` is a thing to do, a `contender` a way to do it; the `cases` are a module
each, `peers` is what several of them need of other libraries. How one is measured: `scale` is the
work and the clock, `processor_time` what it costs all processes, `placing` where they run,
`other_process` the one that is talked to. A `sample` is such a measurement, in a `fresh_process` of
which nothing may be left (`process_tree`). A `run` takes all of them; `machine`, `library` and
`progress` are about it. What it finds: `figures` of anything, `measured` those of a case. What it
shows: `units`, `table`, `data`, and the `chart` of the two plots, `terminal_plot` and `image_plot`.
`arguments` and `command` are the command line.

The measuring scripts for developers, in the folder of the tests, are made of the same pieces.
"""
