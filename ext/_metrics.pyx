"""Sums of structural similarity.

Every function walks the images in tiles of a fixed size and writes the float64 sums of each into ``out``, so the
caller adds them up in one order and the bits do not depend on the number of threads.

A pair (x, y) is handled as s = x + y and d = x - y, each tile freed of its own mean and scaled by the data range:

    m1^2 + m2^2 = (ms^2 + md^2) / 2        v1 + v2 = (vs + vd) / 2        v1 + v2 - 2 cov = vd

so 1 - luminance and 1 - contrast-structure are small ratios of their own, free of cancellation between like images.
"""

from cython cimport floating
from cython.parallel cimport prange

from _dispatch cimport cloned_void

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define TEMCLEAN_PREFETCH(address) __builtin_prefetch(address)
    #else
    #define TEMCLEAN_PREFETCH(address) ((void)(address))
    #endif
    """
    void prefetch "TEMCLEAN_PREFETCH"(const void* address) noexcept nogil

cdef enum:
    TAPS = 11
    ROWS = 128  # of the map, in a tile; even, so that a tile holds whole pairs of rows
    COLUMNS = 128  # likewise; the ring then lies in the first-level cache
    LANE = COLUMNS + TAPS - 1
    RING = 16  # filtered rows kept: TAPS, rounded up to a power of two
    MOMENTS = 4  # s, d, s^2, d^2
    AHEAD = 6  # rows; a processor's own prefetching stops where a tile's row ends: a sixth of the time

TILE_ROWS = ROWS
TILE_COLUMNS = COLUMNS


cdef inline floating positive(floating variance) noexcept nogil:
    """Return a variance that rounding has not made negative; NaN stays NaN."""
    return 0 if variance < 0 else variance


cdef cloned_void filter_row(
    const floating* x, const floating* y, Py_ssize_t columns, floating level_x, floating level_y,
    floating scale, const floating* taps, floating* out,
) noexcept nogil:
    """Write the four moments of one row, filtered along it, ``COLUMNS`` apart."""
    cdef floating raw[MOMENTS * LANE]
    cdef floating a, b, s, d
    cdef floating t0 = taps[0], t1 = taps[1], t2 = taps[2], t3 = taps[3], t4 = taps[4], t5 = taps[5]
    cdef const floating* r
    cdef floating* o
    cdef Py_ssize_t j, m
    for j in range(columns + TAPS - 1):
        a = x[j] - level_x
        b = y[j] - level_y
        s = (a + b) * scale
        d = (a - b) * scale  # scaled after, or fused multiply-adds leave a difference between equal images
        raw[j] = s
        raw[LANE + j] = d
        raw[2 * LANE + j] = s * s
        raw[3 * LANE + j] = d * d
    for m in range(MOMENTS):
        r = &raw[m * LANE]
        o = out + m * COLUMNS
        for j in range(columns):
            o[j] = (
                t0 * (r[j] + r[j + 10]) + t1 * (r[j + 1] + r[j + 9]) + t2 * (r[j + 2] + r[j + 8])
                + t3 * (r[j + 3] + r[j + 7]) + t4 * (r[j + 4] + r[j + 6]) + t5 * r[j + 5]
            )


cdef cloned_void map_row(
    const floating* ring, Py_ssize_t row, Py_ssize_t columns, floating bias_s, floating bias_d,
    floating c1, floating c2, bint luminance, const floating* taps, double* total,
) noexcept nogil:
    """Filter the ring's last ``TAPS`` rows down the columns; add one row of 1 - map to ``total``."""
    cdef floating mean[MOMENTS * COLUMNS]
    cdef floating ms, md, vs, vd, structure, light
    cdef floating t0 = taps[0], t1 = taps[1], t2 = taps[2], t3 = taps[3], t4 = taps[4], t5 = taps[5]
    cdef const floating* r0 = ring + ((row - 10) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r1 = ring + ((row - 9) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r2 = ring + ((row - 8) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r3 = ring + ((row - 7) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r4 = ring + ((row - 6) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r5 = ring + ((row - 5) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r6 = ring + ((row - 4) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r7 = ring + ((row - 3) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r8 = ring + ((row - 2) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r9 = ring + ((row - 1) & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef const floating* r10 = ring + (row & (RING - 1)) * (MOMENTS * COLUMNS)
    cdef Py_ssize_t j
    for j in range(MOMENTS * COLUMNS):
        mean[j] = (
            t0 * (r0[j] + r10[j]) + t1 * (r1[j] + r9[j]) + t2 * (r2[j] + r8[j])
            + t3 * (r3[j] + r7[j]) + t4 * (r4[j] + r6[j]) + t5 * r5[j]
        )
    if luminance:
        for j in range(columns):
            ms = mean[j]
            md = mean[COLUMNS + j]
            vs = positive(mean[2 * COLUMNS + j] - ms * ms)
            vd = positive(mean[3 * COLUMNS + j] - md * md)
            structure = vd / (<floating> 0.5 * (vs + vd) + c2)
            ms = ms + bias_s
            md = md + bias_d
            light = md * md / (<floating> 0.5 * (ms * ms + md * md) + c1)
            total[j] += structure + light - structure * light
    else:
        for j in range(columns):
            ms = mean[j]
            md = mean[COLUMNS + j]
            vs = positive(mean[2 * COLUMNS + j] - ms * ms)
            vd = positive(mean[3 * COLUMNS + j] - md * md)
            total[j] += vd / (<floating> 0.5 * (vs + vd) + c2)


cdef cloned_void halve_row(
    const floating* a, const floating* b, Py_ssize_t columns, floating offset, floating scale, floating* out,
) noexcept nogil:
    """Write the 2x2 means of two rows, less ``offset``; an odd last column stands for its missing neighbour.

    The offset goes first: a sum of four large values would have lost the digits in which their neighbours differ.
    """
    cdef floating quarter = <floating> 0.25 * scale
    cdef Py_ssize_t j, last = columns - 1, pairs = columns // 2
    for j in range(pairs):
        out[j] = (
            ((a[2 * j] - offset) + (a[2 * j + 1] - offset)) + ((b[2 * j] - offset) + (b[2 * j + 1] - offset))
        ) * quarter
    if columns % 2:
        out[pairs] = ((a[last] - offset) + (b[last] - offset)) * (2 * quarter)


cdef cloned_void level_of(
    const floating* x, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t columns, floating* out,
) noexcept nogil:
    """Write about the mean of a tile, from every fourth row."""
    cdef double total[LANE]
    cdef double result = 0.0
    cdef Py_ssize_t row, j
    for j in range(columns):
        total[j] = 0.0
    for row in range(0, rows, 4):
        for j in range(columns):
            total[j] += x[row * stride + j]
    for j in range(columns):
        result += total[j]
    out[0] = <floating> (result / (((rows + 3) // 4) * columns))


cdef double tile_sum(
    const floating* x, const floating* y, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t columns,
    floating scale, floating c1, floating c2, bint luminance, const floating* taps,
    floating offset_x, floating offset_y, double taken_x, double taken_y,
    floating* half_x, floating* half_y, Py_ssize_t half_stride, Py_ssize_t own_rows, Py_ssize_t own_columns,
) noexcept nogil:
    """Sum 1 - map over ``rows`` x ``columns`` windows, and halve the input rows and columns that the tile owns."""
    cdef floating ring[RING * MOMENTS * COLUMNS]
    cdef double total[COLUMNS]
    cdef double result = 0.0
    cdef floating level_x, level_y
    cdef double mean_x, mean_y
    cdef Py_ssize_t row, above, j
    level_of(x, stride, rows + TAPS - 1, columns + TAPS - 1, &level_x)
    level_of(y, stride, rows + TAPS - 1, columns + TAPS - 1, &level_y)
    mean_x = <double> level_x * scale + taken_x
    mean_y = <double> level_y * scale + taken_y
    for j in range(COLUMNS):
        total[j] = 0.0
    for j in range(RING * MOMENTS * COLUMNS):
        ring[j] = 0
    for row in range(rows + TAPS - 1):
        if row + AHEAD < rows + TAPS - 1:
            for j in range(0, columns + TAPS - 1, 16):
                prefetch(x + (row + AHEAD) * stride + j)
                prefetch(y + (row + AHEAD) * stride + j)
        filter_row(
            x + row * stride, y + row * stride, columns, level_x, level_y, scale, taps,
            ring + (row & (RING - 1)) * (MOMENTS * COLUMNS),
        )
        if row >= TAPS - 1:
            map_row(
                ring, row, columns, <floating> (mean_x + mean_y), <floating> (mean_x - mean_y),
                c1, c2, luminance, taps, total,
            )
        # an odd last row stands for its missing neighbour
        if half_x != NULL and row < own_rows and (row % 2 == 1 or row == own_rows - 1):
            above = row - row % 2
            halve_row(
                x + above * stride, x + row * stride, own_columns, offset_x, scale,
                half_x + (row // 2) * half_stride,
            )
            halve_row(
                y + above * stride, y + row * stride, own_columns, offset_y, scale,
                half_y + (row // 2) * half_stride,
            )
    for j in range(columns):
        result += total[j]
    return result


def similarity(
    const floating[:, ::1] x not None,
    const floating[:, ::1] y not None,
    double scale,
    double c1,
    double c2,
    bint luminance,
    const floating[::1] taps not None,
    double offset_x,
    double offset_y,
    double taken_x,
    double taken_y,
    floating[:, ::1] half_x not None,
    floating[:, ::1] half_y not None,
    Py_ssize_t own,
    double[:, ::1] out not None,
    int threads,
):
    """Write, for each tile of the map, the sum of 1 - contrast-structure, times luminance if asked for.

    ``half_x`` and ``half_y`` receive the first ``own`` rows, less ``offset_x`` and ``offset_y`` and scaled, at half
    their size, or are empty. ``taken_x`` and ``taken_y`` are what was taken off before, for the luminance.
    """
    cdef Py_ssize_t height = x.shape[0], width = x.shape[1]
    cdef Py_ssize_t across = out.shape[1], tiles = out.shape[0] * out.shape[1]
    cdef Py_ssize_t index, top, left, rows, columns, half_stride = 0
    cdef floating* to_x = NULL
    cdef floating* to_y = NULL
    if half_x.shape[0] > 0:
        half_stride = half_x.shape[1]
        to_x = &half_x[0, 0]
        to_y = &half_y[0, 0]
    for index in prange(tiles, nogil=True, schedule="static", num_threads=threads):
        top = index // across * ROWS
        left = index % across * COLUMNS
        rows = min(<Py_ssize_t> ROWS, height - (TAPS - 1) - top)
        columns = min(<Py_ssize_t> COLUMNS, width - (TAPS - 1) - left)
        out[index // across, index % across] = tile_sum(
            &x[top, left], &y[top, left], width, rows, columns,
            <floating> scale, <floating> c1, <floating> c2, luminance, &taps[0],
            <floating> offset_x, <floating> offset_y, taken_x, taken_y,
            to_x + top // 2 * half_stride + left // 2 if to_x != NULL else NULL,
            to_y + top // 2 * half_stride + left // 2 if to_y != NULL else NULL,
            half_stride,
            # the last tile also owns the rows and columns where no window begins
            rows if top + rows + TAPS - 1 < height else own - top,
            columns if left + columns + TAPS - 1 < width else width - left,
        )
