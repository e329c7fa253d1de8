# distutils: extra_compile_args = -ffp-contract=off
"""Kernels of what a camera's pixels add: a gain each, a dark current each, and clusters of dead or lit ones.

Random numbers and arithmetic are those of ``_noise.pyx``: the same for any number of threads, on any processor.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.stdint cimport uint32_t, uint64_t

from _dispatch cimport cloned_void
from _philox cimport (
    BLOCK, STREAM_CLUSTER, STREAM_DARK, STREAM_HOT, STREAM_NORMAL, normal_block, philox, philox_block, uniform,
)
from _poisson cimport exp_of_negative

cdef extern from *:
    """
    #ifdef _MSC_VER
    #pragma fp_contract (off)
    #endif
    """

cdef enum:
    LONGEST_WALK = 256


cdef cloned_void gain_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t block, double level, uint64_t seed
) noexcept nogil:
    cdef float normals[BLOCK]
    cdef floating scale = <floating> level
    cdef Py_ssize_t i
    normal_block(seed, block * (BLOCK // 4), STREAM_NORMAL, normals)
    for i in range(size):
        out[i] = x[i] + x[i] * (scale * normals[i])


cdef cloned_void dark_block(
    double* out, Py_ssize_t size, uint64_t block, double median, double sigma, uint32_t hot, double low, double width,
    uint64_t seed,
) noexcept nogil:
    """Write median exp(sigma n), n ~ N(0, 1); or, where a word is below ``hot``, a uniform number from low on."""
    cdef float normals[BLOCK]
    cdef uint32_t words[2 * BLOCK]
    cdef double size_of, growth
    cdef Py_ssize_t i
    normal_block(seed, block * (BLOCK // 4), STREAM_DARK, normals)
    philox_block(seed, block * (BLOCK // 2), STREAM_HOT, words, BLOCK // 2)
    for i in range(size):
        size_of = sigma * normals[i]
        size_of = size_of if size_of > 0 else -size_of
        growth = exp_of_negative(size_of)
        growth = 1 / growth if normals[i] > 0 else growth
        out[i] = low + width * uniform(words[BLOCK + i]) if words[i] < hot else median * growth


def gain(const floating[::1] x not None, floating[::1] out not None, double level, uint64_t seed, int threads):
    """Write x + x N(0, level) into out."""
    cdef Py_ssize_t count = x.shape[0]
    cdef Py_ssize_t block
    for block in prange((count + BLOCK - 1) // BLOCK, nogil=True, schedule="static", num_threads=threads):
        gain_block(&x[block * BLOCK], &out[block * BLOCK], min(BLOCK, count - block * BLOCK), block, level, seed)


def dark(
    double[::1] out not None, double median, double sigma, uint32_t hot, double low, double width, uint64_t seed,
    int threads,
):
    """Write the dark current of each pixel: log-normal, or uniform in [low, low + width] on hot pixels."""
    cdef Py_ssize_t count = out.shape[0]
    cdef Py_ssize_t block
    for block in prange((count + BLOCK - 1) // BLOCK, nogil=True, schedule="static", num_threads=threads):
        dark_block(
            &out[block * BLOCK], min(BLOCK, count - block * BLOCK), block, median, sigma, hot, low, width, seed
        )


def clusters(floating[:, ::1] out not None, Py_ssize_t count, int steps, double low, double high, uint64_t seed):
    """Multiply ``count`` clusters of pixels by U(low, high) each, in place.

    A cluster is what a random walk of up to ``steps`` steps visits; it stays inside the image.
    """
    cdef uint32_t c[4]
    cdef Py_ssize_t seen[LONGEST_WALK + 1]
    cdef Py_ssize_t i, row, column, rows = out.shape[0], columns = out.shape[1]
    cdef int step, walked, known, k, way
    cdef floating factor
    for i in range(count):
        philox(seed, <uint64_t> i, STREAM_CLUSTER, 0, c)
        row = <Py_ssize_t> (uniform(c[0]) * rows)
        column = <Py_ssize_t> (uniform(c[1]) * columns)
        factor = <floating> (low + (high - low) * uniform(c[2]))
        walked = <int> (uniform(c[3]) * (steps + 1))
        known = 1
        seen[0] = row * columns + column
        out[row, column] = out[row, column] * factor
        for step in range(walked):
            if step % 64 == 0:
                philox(seed, <uint64_t> i, STREAM_CLUSTER, 1 + step // 64, c)
            way = (c[step % 64 // 16] >> (2 * (step % 16))) & 3
            if way < 2:
                row = min(max(row + 2 * way - 1, 0), rows - 1)
            else:
                column = min(max(column + 2 * way - 5, 0), columns - 1)
            for k in range(known):
                if seen[k] == row * columns + column:
                    break
            else:
                seen[known] = row * columns + column
                known += 1
                out[row, column] = out[row, column] * factor
