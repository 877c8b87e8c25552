# Settings from the environment. The engine reads them when they are first needed; what it does not know
# it takes for "auto", so a wrong word is told here, once, when the module is loaded.

from warnings import warn as _warn

cdef dict SETTINGS = {
    "MOJO_SEQ_RINGS": ("auto", "always", "never"),
    "MOJO_SEQ_SPIN": ("auto", "never"),
}


cdef _check_settings():
    for name, words in SETTINGS.items():
        word = os.environ.get(name, "auto")
        if word not in words:
            _warn(f"{name}={word!r} is none of {', '.join(words)}: taken for auto",
                  RuntimeWarning, stacklevel=2)


_check_settings()
