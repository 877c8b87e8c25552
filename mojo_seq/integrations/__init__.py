"""Other people's worlds: each module needs a package that mojo_seq itself does not, and nothing
imports it but whoever wants it."""
