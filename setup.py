"""Build the Cython kernels of ``ext/`` as ``temclean._noise`` and so on.

Set ``TEMCLEAN_DEBUG=1`` to build with bounds checks and without optimisation.
"""

import gzip
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError, LinkError

DEBUG = os.environ.get("TEMCLEAN_DEBUG") == "1"
KERNELS = sorted(path.stem for path in Path("ext").glob("*.pyx"))
SHARED = sorted(path.as_posix() for pattern in ("*.pxd", "*.h") for path in Path("ext").glob(pattern))

if "SOURCE_DATE_EPOCH" in os.environ:
    os.umask(0o022)  # the modes of files that are made stand in the wheel

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


class SourceArchive(sdist):
    """With ``SOURCE_DATE_EPOCH`` set, write the same bytes whoever packs the same sources, wherever and whenever."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):  # type: ignore
        """Write ``base_dir`` in the order of the names, without owners, all of one time; return the archive's name."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.uid, member.gid, member.uname, member.gname = int(epoch), 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        with (
            open(name, "wb") as file,  # noqa: PTH123
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in sorted([Path(base_dir), *Path(base_dir).rglob("*")]):
                archive.add(path, recursive=False, filter=plain)
        return name


setup(
    ext_modules=cythonize(
        [Extension(f"temclean.{name}", [f"ext/{name}.pyx"], include_dirs=["ext"], depends=SHARED) for name in KERNELS],
        compiler_directives=DIRECTIVES,
        include_path=["ext"],
        force="--force" in sys.argv,  # or C made without the checks of indices would do for a build with them
    ),
    cmdclass={"build_ext": BuildKernels, "sdist": SourceArchive},
)
