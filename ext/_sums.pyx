"""Plain sums over images, and over what two of them have in common and apart.

Every function walks the images in blocks of a fixed size and writes the float64 sums of each into ``out``, so the
caller adds them up in one order and the bits do not depend on the number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport fabs
from libc.stdint cimport int8_t, int16_t, int64_t, uint8_t, uint16_t

from _dispatch cimport cloned_void

cdef enum:
    SIDE = 512  # rows and columns of a block

BLOCK = SIDE

ctypedef fused few:
    uint8_t
    int8_t
    uint16_t
    int16_t


cdef cloned_void survey_block(
    const floating* x, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t columns, double* out,
) noexcept nogil:
    cdef floating low[SIDE]
    cdef floating high[SIDE]
    cdef double total[SIDE]
    cdef const floating* r
    cdef Py_ssize_t row, j
    for j in range(columns):
        low[j] = x[j]
        high[j] = x[j]
        total[j] = 0.0
    for row in range(rows):
        r = x + row * stride
        for j in range(columns):
            low[j] = r[j] if r[j] < low[j] else low[j]
            high[j] = r[j] if r[j] > high[j] else high[j]
            total[j] += r[j]
    out[0] = x[0]
    out[1] = x[0]
    out[2] = 0.0
    for j in range(columns):
        out[0] = min(out[0], <double> low[j])
        out[1] = max(out[1], <double> high[j])
        out[2] += total[j]


cdef cloned_void differences_block(
    const floating* x, const floating* y, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t columns, double* out,
) noexcept nogil:
    cdef double absolute[SIDE]
    cdef double square[SIDE]
    cdef double d
    cdef Py_ssize_t row, j
    for j in range(columns):
        absolute[j] = 0.0
        square[j] = 0.0
    for row in range(rows):
        for j in range(columns):
            d = <double> x[row * stride + j] - <double> y[row * stride + j]
            absolute[j] += fabs(d)
            square[j] += d * d
    out[0] = 0.0
    out[1] = 0.0
    for j in range(columns):
        out[0] += absolute[j]
        out[1] += square[j]


cdef cloned_void moments_block(
    const floating* x, const floating* y, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t columns,
    double mean_s, double mean_d, double* out,
) noexcept nogil:
    cdef double square_s[SIDE]
    cdef double square_d[SIDE]
    cdef double s, d
    cdef Py_ssize_t row, j
    for j in range(columns):
        square_s[j] = 0.0
        square_d[j] = 0.0
    for row in range(rows):
        for j in range(columns):
            s = <double> x[row * stride + j] + <double> y[row * stride + j] - mean_s
            d = <double> x[row * stride + j] - <double> y[row * stride + j] - mean_d
            square_s[j] += s * s
            square_d[j] += d * d
    out[0] = 0.0
    out[1] = 0.0
    for j in range(columns):
        out[0] += square_s[j]
        out[1] += square_d[j]


def survey(const floating[:, ::1] x not None, double[:, ::1] out not None, int threads):
    """Write the least value, the greatest and the sum of each block. A NaN shows in the sum alone."""
    cdef Py_ssize_t height = x.shape[0], width = x.shape[1], across = (width + SIDE - 1) // SIDE, index, top, left
    for index in prange(out.shape[0], nogil=True, schedule="static", num_threads=threads):
        top = index // across * SIDE
        left = index % across * SIDE
        survey_block(
            &x[top, left], width, min(<Py_ssize_t> SIDE, height - top), min(<Py_ssize_t> SIDE, width - left),
            &out[index, 0],
        )


def differences(
    const floating[:, ::1] x not None, const floating[:, ::1] y not None, double[:, ::1] out not None, int threads
):
    """Write the sums of |x - y| and (x - y)^2 over each block."""
    cdef Py_ssize_t height = x.shape[0], width = x.shape[1], across = (width + SIDE - 1) // SIDE, index, top, left
    for index in prange(out.shape[0], nogil=True, schedule="static", num_threads=threads):
        top = index // across * SIDE
        left = index % across * SIDE
        differences_block(
            &x[top, left], &y[top, left], width,
            min(<Py_ssize_t> SIDE, height - top), min(<Py_ssize_t> SIDE, width - left), &out[index, 0],
        )


def moments(
    const floating[:, ::1] x not None, const floating[:, ::1] y not None, double mean_s, double mean_d,
    double[:, ::1] out not None, int threads,
):
    """Write the sums of (x + y - mean_s)^2 and (x - y - mean_d)^2 over each block."""
    cdef Py_ssize_t height = x.shape[0], width = x.shape[1], across = (width + SIDE - 1) // SIDE, index, top, left
    for index in prange(out.shape[0], nogil=True, schedule="static", num_threads=threads):
        top = index // across * SIDE
        left = index % across * SIDE
        moments_block(
            &x[top, left], &y[top, left], width,
            min(<Py_ssize_t> SIDE, height - top), min(<Py_ssize_t> SIDE, width - left),
            mean_s, mean_d, &out[index, 0],
        )


def count(const few[:, ::1] x not None, Py_ssize_t least, int64_t[::1] out not None):
    """Add how often each value occurs, from ``least`` on, the least that the type has; ``out`` has room for all."""
    cdef Py_ssize_t row, j
    if out.shape[0] != 1 << 8 * sizeof(few) or least != (0 if <few> -1 > 0 else -out.shape[0] // 2):
        raise ValueError(f"there are other values than {out.shape[0]} from {least} on")
    with nogil:
        for row in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[x[row, j] - least] += 1
