"""Means of pixels in blocks, and what a residual does at each brightness: see temclean/evidence/residual.py."""

from libc.math cimport fabsf, sqrtf
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from _dispatch cimport cloned_void

cdef enum:
    LEVELS = 256  # of brightness between 0 and 1
    WIDE = 512  # pixels of a row that are worked on in one go

ctypedef fused pixel:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t
    float
    double

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"


cdef cloned_void add_row(const pixel* source, double* total, Py_ssize_t n, double offset) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        total[j] += <double> source[j] - offset


def fold(const pixel[:, ::1] image not None, int side, double offset, double scale, float[:, ::1] out not None):
    """Write the means of (image - offset) * scale over blocks of ``side`` x ``side`` pixels; a side is at most 512."""
    cdef double[WIDE] total
    cdef double mean
    cdef Py_ssize_t row, part, left, block, i, j, n, blocks, most
    if out.shape[0] * side > image.shape[0] or out.shape[1] * side > image.shape[1] or not 0 < side <= WIDE:
        raise ValueError(f"{image.shape[0]}x{image.shape[1]} has no {out.shape[0]}x{out.shape[1]} blocks of {side}")
    scale /= side * side
    most = WIDE // side
    with nogil:
        for row in range(out.shape[0]):
            for part in range((out.shape[1] + most - 1) // most):
                left = part * most
                blocks = min(most, out.shape[1] - left)
                n = blocks * side
                memset(total, 0, n * sizeof(double))
                for i in range(side):
                    add_row(&image[row * side + i, left * side], total, n, offset)
                for block in range(blocks):
                    mean = 0.0
                    for j in range(side):
                        mean += total[block * side + j]
                    out[row, left + block] = <float> (mean * scale)


cdef cloned_void halve_row(source_line upper, source_line lower, target_line out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = ((upper[2 * j] + lower[2 * j]) + (upper[2 * j + 1] + lower[2 * j + 1])) / 4


def halve(const float[:, ::1] values not None, float[:, ::1] out not None):
    """Write the means of 2x2 neighbours; what is odd at the end is left out."""
    cdef Py_ssize_t row
    if out.shape[0] != values.shape[0] // 2 or out.shape[1] != values.shape[1] // 2:
        raise ValueError(f"{out.shape[0]}x{out.shape[1]} is not half of {values.shape[0]}x{values.shape[1]}")
    if out.shape[1]:
        with nogil:
            for row in range(out.shape[0]):
                halve_row(&values[2 * row, 0], &values[2 * row + 1, 0], &out[row, 0], out.shape[1])


cdef cloned_void unlike_row(source_line upper, source_line lower, target_line out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    cdef float down, across
    for j in range(n):
        down = (upper[2 * j] - lower[2 * j]) + (upper[2 * j + 1] - lower[2 * j + 1])
        across = (upper[2 * j] + lower[2 * j]) - (upper[2 * j + 1] + lower[2 * j + 1])
        out[j] = down * down + across * across


def unlike(const float[:, ::1] values not None, float[:, ::1] out not None):
    """Write by how much 2x2 neighbours differ, down and across: the sum of both squares."""
    cdef Py_ssize_t row
    if out.shape[0] != values.shape[0] // 2 or out.shape[1] != values.shape[1] // 2:
        raise ValueError(f"{out.shape[0]}x{out.shape[1]} is not half of {values.shape[0]}x{values.shape[1]}")
    if out.shape[1]:
        with nogil:
            for row in range(out.shape[0]):
                unlike_row(&values[2 * row, 0], &values[2 * row + 1, 0], &out[row, 0], out.shape[1])


cdef cloned_void level_row(
    source_line before, source_line after, target_line residual, uint8_t* level, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t i
    cdef float value
    for i in range(n):
        residual[i] = before[i] - after[i]
        value = after[i] * (LEVELS - 1) + <float> 0.5
        value = value if value > 0 else 0
        level[i] = <uint8_t> (value if value < LEVELS - 1 else <float> (LEVELS - 1))


def compare(
    const float[::1] before not None, const float[::1] after not None, float[::1] residual not None,
    uint8_t[::1] level not None, double[:, ::1] sums not None,
):
    """Write before - after and the level of brightness of ``after``.

    ``sums`` (3, 256) gets, for each level, the number of values, the sum of their residuals and that of the squares.
    """
    cdef Py_ssize_t i, n = before.shape[0]
    cdef uint8_t place
    if after.shape[0] != n or residual.shape[0] != n or level.shape[0] != n:
        raise ValueError("all must have as many values")
    if sums.shape[0] != 3 or sums.shape[1] != LEVELS:
        raise ValueError(f"the sums must be of 3x{LEVELS}")
    with nogil:
        memset(&sums[0, 0], 0, 3 * LEVELS * sizeof(double))
        if n:
            level_row(&before[0], &after[0], &residual[0], &level[0], n)
        for i in range(n):
            place = level[i]
            sums[0, place] += 1.0
            sums[1, place] += residual[i]
            sums[2, place] += residual[i] * residual[i]


cdef cloned_void standardise_row(
    source_line residual, const uint8_t* level, source_line mean, source_line per_spread, float most,
    target_line left, target_line standard, double* moments, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef float value
    cdef double square = 0.0, cube = 0.0
    for i in range(n):
        left[i] = residual[i] - mean[level[i]]
        value = left[i] * per_spread[level[i]]
        value = value if value > -most else -most
        standard[i] = value if value < most else most
    for i in range(n):
        square += <double> standard[i] * standard[i]
        cube += <double> standard[i] * standard[i] * standard[i]
    moments[0] = square
    moments[1] = cube


def standardise(
    const float[::1] residual not None, const uint8_t[::1] level not None, const float[::1] mean not None,
    const float[::1] per_spread not None, float most, float[::1] left not None, float[::1] standard not None,
    double[::1] moments not None,
):
    """Write what is left of the residual without the mean of its level, and that over its spread, within ``most``.

    ``moments`` gets the sums of the squares and of the cubes of the latter.
    """
    cdef Py_ssize_t n = residual.shape[0]
    if level.shape[0] != n or left.shape[0] != n or standard.shape[0] != n or moments.shape[0] != 2:
        raise ValueError("all must have as many values, and there are two moments")
    if mean.shape[0] != LEVELS or per_spread.shape[0] != LEVELS:
        raise ValueError(f"there are {LEVELS} levels")
    if n:
        with nogil:
            standardise_row(
                &residual[0], &level[0], &mean[0], &per_spread[0], most, &left[0], &standard[0],
                &moments[0], n,
            )
    else:
        moments[0] = 0.0
        moments[1] = 0.0


cdef cloned_void overlap_row(
    source_line standard, source_line standard_below, source_line residual, source_line residual_below,
    target_line windows, target_line missing, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        windows[j] = ((standard[j] + standard_below[j]) + (standard[j + 1] + standard_below[j + 1])) / 4
        missing[j] = fabsf((residual[j] + residual_below[j]) + (residual[j + 1] + residual_below[j + 1])) / 4


cdef cloned_void compare_row(
    source_line top, source_line middle, source_line bottom, source_line missing, float share, uint8_t* much,
    Py_ssize_t n,
) noexcept nogil:
    """Look at 3x3 neighbours, binomially weighted, from each of n places on."""
    cdef Py_ssize_t j, k
    cdef float mean, square, sides, value
    for j in range(n):
        mean = 0.0
        square = 0.0
        for k in range(3):
            value = top[j + k] + 2 * middle[j + k] + bottom[j + k]
            sides = (
                top[j + k] * top[j + k] + 2 * middle[j + k] * middle[j + k] + bottom[j + k] * bottom[j + k]
            )
            mean += value * (2 if k == 1 else 1)
            square += sides * (2 if k == 1 else 1)
        mean /= 16
        square = square / 16 - mean * mean
        square = square if square > 0 else 0
        much[j] = missing[j] * (1 - share) > sqrtf(square) * share


def overlap(
    const float[:, ::1] standard not None, const float[:, ::1] residual not None, const float[:, ::1] after not None,
    float share, float[:, ::1] windows not None, uint8_t[:, ::1] much not None,
):
    """Write the means of 2x2 neighbours, and where those of the residual hold more than a share of what varies there.

    What varies beside them is the deviation of ``after`` over 3x3 neighbours; at the lower and right edge, that of the
    row and the column before.
    """
    cdef Py_ssize_t rows = windows.shape[0], columns = windows.shape[1], row, first, part, left, n, inner
    cdef float[WIDE] missing
    if rows < 2 or columns < 2 or standard.shape[0] != rows + 1 or standard.shape[1] != columns + 1:
        raise ValueError(f"{standard.shape[0]}x{standard.shape[1]} has no {rows}x{columns} windows")
    if residual.shape[0] != rows + 1 or residual.shape[1] != columns + 1 or after.shape[0] != rows + 1 or (
        after.shape[1] != columns + 1 or much.shape[0] != rows or much.shape[1] != columns
    ):
        raise ValueError("all must have one shape")
    with nogil:
        for row in range(rows):
            first = min(row, rows - 2)
            for part in range((columns + WIDE - 1) // WIDE):
                left = part * WIDE
                n = min(<Py_ssize_t> WIDE, columns - left)
                overlap_row(
                    &standard[row, left], &standard[row + 1, left], &residual[row, left], &residual[row + 1, left],
                    &windows[row, left], missing, n,
                )
                inner = min(n, columns - 1 - left)
                if inner:
                    compare_row(
                        &after[first, left], &after[first + 1, left], &after[first + 2, left], missing, share,
                        &much[row, left], inner,
                    )
                if inner < n:  # the last column
                    compare_row(
                        &after[first, columns - 2], &after[first + 1, columns - 2], &after[first + 2, columns - 2],
                        missing + inner, share, &much[row, columns - 1], 1,
                    )


def furthest(const float[::1] windows not None, const uint8_t[::1] much not None, double scale, double skewness):
    """Return how far that of the windows deviates which does most where there is much, and its number.

    As a normal number that is as rare would, of deviations of this skewness (Cornish and Fisher 1938); 0 where nowhere.
    """
    cdef Py_ssize_t i, place = 0
    cdef double most = 0.0, deviation, value
    if much.shape[0] != windows.shape[0]:
        raise ValueError("all must have as many values")
    with nogil:
        for i in range(windows.shape[0]):
            if much[i]:
                deviation = windows[i] * scale
                value = skewness / 6 * (deviation * deviation - 1)
                value = deviation - value if deviation > 0 else (-deviation + value if deviation < 0 else 0.0)
                if value > most:
                    most = value
                    place = i
    return most, place
