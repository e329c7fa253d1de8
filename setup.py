"""Build the Cython kernels of ``ext/`` as ``temclean._noise`` and so on.

Set ``TEMCLEAN_DEBUG=1`` to build with bounds checks and without optimisation.
"""

import os
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

DEBUG = os.environ.get("TEMCLEAN_DEBUG") == "1"
KERNELS = sorted(path.stem for path in Path("ext").glob("*.pyx"))
SHARED = sorted(path.as_posix() for pattern in ("*.pxd", "*.h") for path in Path("ext").glob(pattern))

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_get_max_threads() > 0 ? 0 : 1; }
"""


class BuildKernels(build_ext):
    """Add the compiler's own flags, and OpenMP where it has it."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            compile_args = ["/Od", "/Z7"] if DEBUG else ["/O2"]
            openmp_compile, openmp_link = ["/openmp"], []
        else:
            compile_args = ["-O0", "-g"] if DEBUG else ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
            openmp_compile, openmp_link = ["-fopenmp"], ["-fopenmp"]
        if not self.compiles(openmp_compile, openmp_link):
            print("temclean: this compiler has no OpenMP; the kernels will run on one thread", file=sys.stderr)
            openmp_compile, openmp_link = [], []
        for extension in self.extensions:
            extension.extra_compile_args += compile_args + openmp_compile
            extension.extra_link_args += openmp_link
        super().build_extensions()

    def compiles(self, compile_args: list[str], link_args: list[str]) -> bool:
        """Return whether a small OpenMP program compiles and links."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=compile_args)
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=link_args)
            except (CompileError, LinkError):
                return False
        return True


setup(
    ext_modules=cythonize(
        [Extension(f"temclean.{name}", [f"ext/{name}.pyx"], include_dirs=["ext"], depends=SHARED) for name in KERNELS],
        compiler_directives=DIRECTIVES,
        include_path=["ext"],
        force="--force" in sys.argv,  # or C made without the checks of indices would do for a build with them
    ),
    cmdclass={"build_ext": BuildKernels},
)
