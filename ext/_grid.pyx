"""The grid of two pixels in a network's result: its three patterns in blocks of an image, and what takes them away.

Both functions go through the image two rows at a time and look at 2x2 pixels: a b above c d.
"""

from libc.math cimport fabsf

from _dispatch cimport cloned_void

cdef enum:
    SIDE = 16  # of a block, in 2x2 pixels
    HALF = 8
    WIDE = 256  # 2x2 pixels of a row that are worked on in one go: a multiple of SIDE

BLOCK = 2 * SIDE
MAGNITUDE, LIMITED, SIGN = range(3)

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"


cdef cloned_void amplitudes_of_row(
    source_line top, source_line bottom, source_line below, Py_ssize_t n, bint last,
    target_line rows, target_line columns, target_line both,
) noexcept nogil:
    """Write how far rows, columns and both alternate at each of n 2x2 pixels; there are more, unless they are the last.

    By second differences: what follows the image's end is what it ends with.
    """
    cdef Py_ssize_t j, inner = n - 1 if last else n
    cdef float a, b, c, d
    for j in range(n):
        a = top[2 * j]
        b = top[2 * j + 1]
        c = bottom[2 * j]
        d = bottom[2 * j + 1]
        rows[j] = (a + b) / 8 - (c + d) / 4 + (below[2 * j] + below[2 * j + 1]) / 8
        both[j] = (a - b - c + d) / 4
    for j in range(inner):
        columns[j] = (
            (top[2 * j] + bottom[2 * j]) / 8 - (top[2 * j + 1] + bottom[2 * j + 1]) / 4
            + (top[2 * j + 2] + bottom[2 * j + 2]) / 8
        )
    if last:
        a = (top[2 * inner] + bottom[2 * inner]) / 8
        columns[inner] = a - (top[2 * inner + 1] + bottom[2 * inner + 1]) / 4 + a


cdef cloned_void add_row(
    source_line found, target_line total, source_line limit, Py_ssize_t n, int kind
) noexcept nogil:
    cdef Py_ssize_t j
    cdef float value
    if kind == 0:
        for j in range(n):
            total[j] += fabsf(found[j])
    elif kind == 1:
        for j in range(n):
            value = found[j] if found[j] > -limit[j] else -limit[j]
            total[j] += value if value < limit[j] else limit[j]
    else:
        for j in range(n):
            total[j] += <float> ((found[j] > 0) - (found[j] < 0))


def means(const float[:, ::1] image not None, const float[:, :, ::1] limits, int kind, float[:, :, ::1] out not None):
    """Write means over blocks, (3, rows, columns) of them: of the magnitudes, limited values or signs of each pattern.

    ``limits`` has the shape of ``out``, and counts for limited values alone.
    """
    cdef float[3][WIDE] found
    cdef float[3][WIDE] total
    cdef float[3][WIDE] limit
    cdef Py_ssize_t height = image.shape[0], across = image.shape[1] // 2, row, y, part, left, n, j, block, first
    cdef int pattern
    cdef double mean
    if height != 2 * SIDE * out.shape[1] or across != SIDE * out.shape[2] or out.shape[0] != 3:
        raise ValueError(f"an image of {image.shape[0]}x{image.shape[1]} has other blocks than {out.shape[1]}")
    if kind == 1 and (
        limits is None or limits.shape[0] != 3 or limits.shape[1] != out.shape[1] or limits.shape[2] != out.shape[2]
    ):
        raise ValueError("there must be one limit a block")
    with nogil:
        for row in range(out.shape[1]):
            for part in range((across + WIDE - 1) // WIDE):
                left = part * WIDE
                n = min(<Py_ssize_t> WIDE, across - left)
                first = left // SIDE
                for pattern in range(3):
                    for j in range(n):
                        total[pattern][j] = 0.0
                        limit[pattern][j] = limits[pattern, row, first + j // SIDE] if kind == 1 else 0.0
                for y in range(2 * SIDE * row, 2 * SIDE * (row + 1), 2):
                    amplitudes_of_row(
                        &image[y, 2 * left], &image[y + 1, 2 * left],
                        &image[y + 2 if y + 2 < height else y, 2 * left],
                        n, left + n == across, &found[0][0], &found[1][0], &found[2][0],
                    )
                    for pattern in range(3):
                        add_row(&found[pattern][0], &total[pattern][0], &limit[pattern][0], n, kind)
                for pattern in range(3):
                    for block in range(n // SIDE):
                        mean = 0.0
                        for j in range(SIDE):
                            mean += total[pattern][block * SIDE + j]
                        out[pattern, row, first + block] = <float> (mean / (SIDE * SIDE))


cdef cloned_void spread_row(
    source_line upper, source_line lower, float share, Py_ssize_t blocks, Py_ssize_t first, Py_ssize_t n,
    target_line out,
) noexcept nogil:
    """Interpolate between the middles of blocks, down by the share of the lower ones and then across."""
    cdef Py_ssize_t half, j, left, right
    cdef float one, other, part
    for half in range(n // HALF):
        left = (2 * first + half + 1) // 2 - 1
        right = left + 1 if left + 1 < blocks else blocks - 1
        left = left if left > 0 else 0
        one = upper[left] * (1 - share) + lower[left] * share
        other = upper[right] * (1 - share) + lower[right] * share
        for j in range(HALF):
            part = (<float> j + <float> 0.5 + (0 if half % 2 else HALF)) / SIDE
            out[half * HALF + j] = one * (1 - part) + other * part


cdef cloned_void subtract_row(target_line out, source_line even, source_line odd, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[2 * j] -= even[j]
        out[2 * j + 1] -= odd[j]


def subtract(float[:, ::1] image not None, const float[:, :, ::1] amplitudes not None):
    """Subtract from a, b, c and d what is given for them in the middles of blocks, (4, rows, columns) of them."""
    cdef float[4][WIDE] line
    cdef Py_ssize_t down = amplitudes.shape[1], blocks = amplitudes.shape[2], across = image.shape[1] // 2
    cdef Py_ssize_t row, part, left, n, upper, lower
    cdef float share
    cdef int place
    if image.shape[0] != 2 * SIDE * down or across != SIDE * blocks or amplitudes.shape[0] != 4:
        raise ValueError(f"an image of {image.shape[0]}x{image.shape[1]} has other blocks than {down}x{blocks}")
    with nogil:
        for row in range(SIDE * down):
            upper = (row + HALF) // SIDE - 1
            share = (<float> ((row + HALF) % SIDE) + <float> 0.5) / SIDE
            lower = upper + 1 if upper + 1 < down else down - 1
            upper = upper if upper > 0 else 0
            for part in range((across + WIDE - 1) // WIDE):
                left = part * WIDE
                n = min(<Py_ssize_t> WIDE, across - left)
                for place in range(4):
                    spread_row(
                        &amplitudes[place, upper, 0], &amplitudes[place, lower, 0], share, blocks, left // SIDE, n,
                        &line[place][0],
                    )
                subtract_row(&image[2 * row, 2 * left], &line[0][0], &line[1][0], n)
                subtract_row(&image[2 * row + 1, 2 * left], &line[2][0], &line[3][0], n)
