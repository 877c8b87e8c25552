"""Actors in other processes: refs that lead there, and worker processes that actors are put in.

A system that has let a ref out of its process is a *node*. A process that uses refs of a node has
one *connection* to it, a message pipe, for all of them; an *introduction* is such a pipe's end that
travels with a ref, so that whoever gets the ref can talk to its node directly.
"""
