# distutils: extra_compile_args = -ffp-contract=off
"""Kernels of what a scanned beam does to an image: displacements, resampling, the spread of a line, lines lost.

Random numbers and arithmetic are those of ``_noise.pyx``: the same for any number of threads, on any processor.
"""

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.math cimport floorf, sqrt
from libc.stdint cimport int32_t, uint32_t, uint64_t

from _dispatch cimport cloned_void
from _philox cimport BLOCK, STREAM_LINE, STREAM_WALK, STREAM_WANDER, normal_block, philox, uniform

cdef extern from *:
    """
    #ifdef _MSC_VER
    #pragma fp_contract (off)
    #endif
    """

cdef enum:
    MARGIN = 64  # pixels that a resampled row is mirrored beyond its ends

SCRATCH = 2 * MARGIN
"""Pixels by which a row of ``resample``'s scratch is longer than a row of the image."""


cdef inline Py_ssize_t mirror(Py_ssize_t i, Py_ssize_t count) noexcept nogil:
    """Bring an index into the range by mirroring at the centres of the first and the last pixel."""
    cdef Py_ssize_t period = 2 * (count - 1)
    if count == 1:
        return 0
    i %= period
    if i < 0:
        i += period
    return i if i < count else period - i


cdef inline void keys(float t, float* w) noexcept nogil:
    """Weights of four neighbours at a fraction t after the second: Keys, IEEE Trans. ASSP 29, 1153 (1981)."""
    w[0] = ((<float> -0.5 * t + 1) * t - <float> 0.5) * t
    w[1] = (<float> 1.5 * t - <float> 2.5) * t * t + 1
    w[2] = ((<float> -1.5 * t + 2) * t + <float> 0.5) * t
    w[3] = (<float> 0.5 * t - <float> 0.5) * t * t


cdef cloned_void wander_row(
    float* out, Py_ssize_t count, double start, double spread, double phi, uint64_t seed, uint64_t first
) noexcept nogil:
    cdef float normals[BLOCK]
    cdef float place = 0, scale = <float> spread, memory = <float> phi, offset = <float> start
    cdef Py_ssize_t i, block, begin
    for block in range((count + BLOCK - 1) // BLOCK):
        begin = block * BLOCK
        normal_block(seed, first + block * (BLOCK // 4), STREAM_WANDER, normals)
        if block == 0:
            normals[0] = normals[0] * <float> (1 / sqrt(1 - phi * phi))
        for i in range(min(BLOCK, count - begin)):
            place = memory * place + scale * normals[i]
            out[begin + i] = place + offset


cdef cloned_void mix_rows(
    const floating* r0, const floating* r1, const floating* r2, const floating* r3, const float* w, floating* out,
    Py_ssize_t count,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = w[0] * r0[i] + w[1] * r1[i] + w[2] * r2[i] + w[3] * r3[i]


cdef cloned_void resample_row(
    const floating* row, floating* out, const float* across, Py_ssize_t count, floating lowest
) noexcept nogil:
    """Take out[i] from row[MARGIN + i + across[i]], the row being mirrored over its margins."""
    cdef float w[4]
    cdef float whole
    cdef int32_t at, last = <int32_t> (count + 2 * MARGIN - 3)
    cdef floating value
    cdef Py_ssize_t i
    for i in range(count):
        whole = floorf(across[i])
        keys(across[i] - whole, w)
        whole = whole if whole > -1e9 else <float> -1e9
        whole = whole if whole < 1e9 else <float> 1e9
        at = <int32_t> i + MARGIN + <int32_t> whole
        at = at if at > 1 else 1
        at = at if at < last else last
        value = w[0] * row[at - 1] + w[1] * row[at] + w[2] * row[at + 1] + w[3] * row[at + 2]
        out[i] = value if value > lowest else lowest


cdef void jitter_row(
    const floating* x, floating* out, const float* across, double down, Py_ssize_t row, Py_ssize_t rows,
    Py_ssize_t columns, floating lowest, floating* mixed
) noexcept nogil:
    cdef float w[4]
    cdef Py_ssize_t i, top
    cdef double place = min(max(<double> row + down, -1e9), 1e9)
    top = <Py_ssize_t> (place + 1e9) - 1000000000  # floor of place, which is above -1e9
    keys(<float> (place - <double> top), w)
    mix_rows(
        x + mirror(top - 1, rows) * columns, x + mirror(top, rows) * columns, x + mirror(top + 1, rows) * columns,
        x + mirror(top + 2, rows) * columns, w, mixed + MARGIN, columns,
    )
    for i in range(MARGIN):
        mixed[i] = mixed[MARGIN + mirror(i - MARGIN, columns)]
        mixed[MARGIN + columns + i] = mixed[MARGIN + mirror(columns + i, columns)]
    resample_row(mixed, out, across, columns, lowest)


cdef cloned_void spread_row(
    const floating* x, floating* out, Py_ssize_t count, const float* taps, Py_ssize_t reach
) noexcept nogil:
    """Write sum_k taps[k] x[i - k]; what lies before the row is its first pixel."""
    cdef Py_ssize_t i, k
    cdef floating first = x[0], weight, rest = 0, sum
    for k in range(reach):
        rest += taps[k]
    for i in range(min(reach, count)):
        rest -= taps[i]
        sum = rest * first
        for k in range(i + 1):
            sum += taps[k] * x[i - k]
        out[i] = sum
    for i in range(reach, count):
        out[i] = taps[0] * x[i]
    for k in range(1, reach - 3, 4):
        for i in range(reach, count):
            out[i] = out[i] + (
                (taps[k] * x[i - k] + taps[k + 1] * x[i - k - 1])
                + (taps[k + 2] * x[i - k - 2] + taps[k + 3] * x[i - k - 3])
            )
    for k in range(1 + (reach - 1) // 4 * 4, reach):
        weight = taps[k]
        for i in range(reach, count):
            out[i] = out[i] + weight * x[i - k]


def walk(double[::1] out not None, double spread, double phi, uint64_t seed, uint32_t series):
    """Write one AR(1) series: out[0] = a / sqrt(1 - phi^2), out[k] = phi out[k - 1] + a, a ~ N(0, spread).

    Of one seed there are as many as wanted, numbered from 0 on.
    """
    cdef float normals[BLOCK]
    cdef Py_ssize_t i
    cdef double place = 0
    for i in range(out.shape[0]):
        if i % BLOCK == 0:
            normal_block(seed, (<uint64_t> series << 32) + i // 4, STREAM_WALK, normals)
        place = phi * place + spread * normals[i % BLOCK] if i else spread * normals[0] / sqrt(1 - phi * phi)
        out[i] = place


def wander(
    float[:, ::1] out not None, const double[::1] start not None, double spread, double phi, uint64_t seed, int threads
):
    """Write into each row of out an AR(1) series of its own around start[row]."""
    cdef Py_ssize_t row
    cdef uint64_t counters = (out.shape[1] + BLOCK - 1) // BLOCK * (BLOCK // 4)
    for row in prange(out.shape[0], nogil=True, schedule="static", num_threads=threads):
        wander_row(&out[row, 0], out.shape[1], start[row], spread, phi, seed, <uint64_t> row * counters)


def resample(
    const floating[:, ::1] x not None, floating[:, ::1] out not None, const float[:, ::1] across not None,
    const double[::1] down not None, floating lowest, floating[:, ::1] scratch not None, int threads,
):
    """Write out[i, j] = x at (i + down[i], j + across[i, j]) by bicubic interpolation, and no less than lowest.

    ``scratch`` has a row for each thread, 2 MARGIN longer than those of x.
    """
    cdef Py_ssize_t row
    for row in prange(x.shape[0], nogil=True, schedule="static", num_threads=threads):
        jitter_row(
            &x[0, 0], &out[row, 0], &across[row, 0], down[row], row, x.shape[0], x.shape[1], lowest,
            &scratch[threadid(), 0],
        )


def spread(
    const floating[:, ::1] x not None, floating[:, ::1] out not None, const float[::1] taps not None, int threads
):
    """Convolve each row with causal taps; out is not x."""
    cdef Py_ssize_t row
    for row in prange(x.shape[0], nogil=True, schedule="static", num_threads=threads):
        spread_row(&x[row, 0], &out[row, 0], x.shape[1], &taps[0], taps.shape[0])


def lines(floating[:, ::1] out not None, Py_ssize_t count, double low, double high, uint64_t seed):
    """Replace ``count`` stretches of rows by their mean times U(low, high), one after the other, in place."""
    cdef uint32_t c[4]
    cdef Py_ssize_t i, j, row, first, length
    cdef double sum
    for i in range(count):
        philox(seed, <uint64_t> i, STREAM_LINE, 0, c)
        row = <Py_ssize_t> (uniform(c[0]) * out.shape[0])
        first = <Py_ssize_t> (uniform(c[1]) * out.shape[1])
        length = min(1 + <Py_ssize_t> (uniform(c[2]) * out.shape[1]), out.shape[1] - first)
        sum = 0
        for j in range(first, first + length):
            sum += out[row, j]
        sum *= (low + (high - low) * uniform(c[3])) / length
        for j in range(first, first + length):
            out[row, j] = <floating> sum
