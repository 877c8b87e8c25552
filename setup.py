"""Builds the one extension module. `MOJO_SEQ_BUILD=debug|asan|tsan` builds a checked variant."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

CORE = Path("_core")
VARIANTS = {
    "release": (["-O2", "-DNDEBUG"], []),
    "debug": (["-O0", "-g3", "-D_GLIBCXX_ASSERTIONS"], []),
    "asan": (
        ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"],
        ["-fsanitize=address,undefined"],
    ),
    "tsan": (
        ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=thread"],
        ["-fsanitize=thread"],
    ),
}

variant = os.environ.get("MOJO_SEQ_BUILD", "release")
if variant not in VARIANTS:
    raise SystemExit(f"MOJO_SEQ_BUILD must be one of {', '.join(VARIANTS)}, not {variant!r}")
compile_args, link_args = VARIANTS[variant]

extension = Extension(
    "mojo_seq._core",
    sources=[str(CORE / "_core.pyx"), *sorted(map(str, CORE.glob("engine/*.cc")))],
    depends=[
        str(path)
        for pattern in ("*.px[di]", "*.h", "engine/*.h")
        for path in sorted(CORE.glob(pattern))
    ],
    include_dirs=[str(CORE)],
    language="c++",
    extra_compile_args=["-std=c++17", "-fvisibility=hidden", "-Wall", *compile_args],
    extra_link_args=link_args,
)


class BuildVariant(build_ext):
    """Builds anew when another variant was built here last."""

    def run(self):
        marker = Path("build") / "variant"
        self.force = self.force or not marker.exists() or marker.read_text() != variant
        super().run()
        marker.parent.mkdir(exist_ok=True)
        marker.write_text(variant)


class SourceDistribution(sdist):
    """Holds what the sources are, not what Cython makes of them."""

    def make_distribution(self):
        suffixes = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".cc", ".md"}
        for folder in ("_core", "examples", "tests"):
            paths = (path for path in Path(folder).rglob("*") if path.suffix in suffixes)
            self.filelist.extend(map(str, paths))
        self.filelist.prune("build")
        self.filelist.remove_duplicates()
        super().make_distribution()


setup(
    cmdclass={"build_ext": BuildVariant, "sdist": SourceDistribution},
    ext_modules=cythonize(
        [extension],
        include_path=[str(CORE)],
        build_dir=str(Path("build") / "cython"),
        compiler_directives={"embedsignature": True},
        nthreads=0,
    ),
)
