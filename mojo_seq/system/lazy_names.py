"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable


def lazy_names(
    namespace: dict[str, object], module_of: dict[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        namespace: its `globals()`.
        module_of: for each name the full name of the module that has it.
    """

    def get(name: str) -> object:
        module = module_of.get(name)
        if module is None:
            package = namespace["__name__"]
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        found: object = getattr(import_module(module), name)
        namespace[name] = found
        return found

    return get, lambda: sorted({*namespace, *module_of})
