"""Rows of an image beside a result whose rows are displaced a little: see temclean/evidence/straying.py.

What a result shows where its rows are displaced follows from its derivatives, to the second order; those are central
differences, as of `numpy.gradient`.
"""

from cython cimport floating
from libc.math cimport fabsf

from _dispatch cimport cloned_void

cdef enum:
    ROWS = 11  # of room: derivatives, what is expected, its slopes, what is left and weights

ROOM = ROWS

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"


cdef cloned_void differ(
    source_line before, source_line after, float share, target_line out, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = (after[j] - before[j]) * share


cdef cloned_void along(source_line row, target_line out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    out[0] = row[1] - row[0]
    for j in range(1, n - 1):
        out[j] = (row[j + 1] - row[j - 1]) / 2
    out[n - 1] = row[n - 1] - row[n - 2]


cdef void slope(const float[:, ::1] image, Py_ssize_t row, float* out) noexcept nogil:
    """Write the derivative of a row across rows."""
    cdef Py_ssize_t above = row - 1 if row else 0, below = min(row + 1, image.shape[0] - 1)
    differ(&image[above, 0], &image[below, 0], <float> 1 / (below - above), out, image.shape[1])


cdef cloned_void displace(
    source_line here, source_line right, source_line down, source_line right_right, source_line down_down,
    source_line right_down, float x, float y, target_line at, target_line along_x, target_line along_y, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        at[j] = (
            here[j] + x * right[j] + y * down[j] + x * y * right_down[j]
            + <float> 0.5 * (x * x * right_right[j] + y * y * down_down[j])
        )
        along_x[j] = right[j] + x * right_right[j] + y * right_down[j]
        along_y[j] = down[j] + y * down_down[j] + x * right_down[j]


cdef cloned_void weigh(
    source_line raw, source_line expected, source_line table, float low, float scale, Py_ssize_t levels, float mild,
    float wild, target_line left, target_line weight, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef int level
    cdef float place, deviation, off
    for j in range(n):
        left[j] = raw[j] - expected[j]
        place = (expected[j] - low) * scale
        place = place if place > 0 else 0
        place = place if place < levels - 1 else levels - 1
        level = <int> place
        level = level if level < levels - 2 else <int> (levels - 2)
        deviation = table[level] + (table[level + 1] - table[level]) * (place - level)
        off = fabsf(left[j]) / deviation
        weight[j] = (mild / off if off > mild else 1) / (deviation * deviation)
        weight[j] = weight[j] if off < wild else 0


cdef void surface(
    const float[:, ::1] image, Py_ssize_t row, double x, double y, float[:, ::1] work
) noexcept nogil:
    """Write what a row is where it is displaced, and its slopes there, into the rows 6 to 8 of the room."""
    cdef Py_ssize_t n = image.shape[1], above = row - 1 if row else 0, below = min(row + 1, image.shape[0] - 1)
    slope(image, above, &work[6, 0])
    slope(image, below, &work[7, 0])
    differ(&work[6, 0], &work[7, 0], <float> 1 / (below - above), &work[3, 0], n)
    slope(image, row, &work[1, 0])
    along(&image[row, 0], &work[0, 0], n)
    along(&work[0, 0], &work[2, 0], n)
    along(&work[1, 0], &work[4, 0], n)
    displace(
        &image[row, 0], &work[0, 0], &work[1, 0], &work[2, 0], &work[3, 0], &work[4, 0], <float> x, <float> y,
        &work[6, 0], &work[7, 0], &work[8, 0], n,
    )


def equations(
    const float[:, ::1] raw not None, const float[:, ::1] restored not None, Py_ssize_t above,
    const double[:, ::1] moved not None, const float[::1] table not None, double low, double scale,
    const Py_ssize_t[::1] starts not None, float mild, float wild, float[:, ::1] work not None,
    Py_ssize_t first, double[:, :, :, ::1] matrices not None, double[:, :, ::1] sides not None,
):
    """Write the normal equations of rows, the ``first`` one's and so on: matrices (2, :, 4, 4), right sides (2, :, 4).

    Those at 0 are of every other block of columns, of those that begin at ``starts``, those at 1 of the blocks between.
    ``restored`` has ``above`` rows before those of ``raw``, and may have more after them. ``table`` is the noise at
    levels from ``low`` on, ``scale`` of them for each unit.
    """
    cdef Py_ssize_t n = raw.shape[1], blocks = starts.shape[0], row, block, half, j, k, end, i
    cdef double[14] total
    cdef double mean, weight, x, y, amplitude, left
    if restored.shape[0] < raw.shape[0] + above or restored.shape[0] < 3 or restored.shape[1] != n or n < 3:
        raise ValueError(f"the result of {restored.shape[0]}x{restored.shape[1]} does not hold {raw.shape[0]}x{n}")
    if moved.shape[0] != raw.shape[0] or moved.shape[1] != 2 or table.shape[0] < 2:
        raise ValueError("each row has two displacements, and a table two levels")
    if work.shape[0] < ROWS or work.shape[1] != n:
        raise ValueError(f"there must be room for {ROWS} rows")
    if (
        first < 0 or matrices.shape[0] != 2 or matrices.shape[1] < first + raw.shape[0] or matrices.shape[2] != 4
        or matrices.shape[3] != 4 or sides.shape[0] != 2 or sides.shape[1] != matrices.shape[1] or sides.shape[2] != 4
    ):
        raise ValueError("the equations are two of 4x4 and 4 a row")
    for block in range(blocks):
        if not 0 <= starts[block] < n:
            raise ValueError("blocks begin within a row")
    with nogil:
        for row in range(raw.shape[0]):
            surface(restored, row + above, moved[row, 0], moved[row, 1], work)
            mean = 0.0
            for j in range(n):
                mean += work[6, j]
            mean /= n
            weigh(
                &raw[row, 0], &work[6, 0], &table[0], <float> low, <float> scale, table.shape[0], mild, wild,
                &work[9, 0], &work[10, 0], n,
            )
            for half in range(2):
                for i in range(14):
                    total[i] = 0.0
                block = half
                while block < blocks:
                    end = starts[block + 1] if block + 1 < blocks else n
                    for j in range(starts[block], end):
                        weight = work[10, j]
                        x = work[7, j]
                        y = work[8, j]
                        left = work[9, j]
                        amplitude = work[6, j] - mean
                        total[0] += weight * x * x
                        total[1] += weight * x * y
                        total[2] += weight * x
                        total[3] += weight * x * amplitude
                        total[4] += weight * y * y
                        total[5] += weight * y
                        total[6] += weight * y * amplitude
                        total[7] += weight
                        total[8] += weight * amplitude
                        total[9] += weight * amplitude * amplitude
                        total[10] += weight * x * left
                        total[11] += weight * y * left
                        total[12] += weight * left
                        total[13] += weight * amplitude * left
                    block += 2
                k = 0
                for i in range(4):
                    sides[half, first + row, i] = total[10 + i]
                    for j in range(i, 4):
                        matrices[half, first + row, i, j] = total[k]
                        matrices[half, first + row, j, i] = total[k]
                        k += 1


def steady(
    const float[:, ::1] restored not None, Py_ssize_t above, const double[:, ::1] moved not None, double unit,
    float[:, ::1] work not None, floating[:, ::1] out not None,
):
    """Subtract from rows what it adds to those of ``restored``, from ``above`` on, that they are displaced."""
    cdef Py_ssize_t n = restored.shape[1], row, j
    if restored.shape[0] < out.shape[0] + above or restored.shape[0] < 3 or out.shape[1] != n or n < 3:
        raise ValueError(f"the result of {restored.shape[0]}x{n} does not hold {out.shape[0]}x{out.shape[1]}")
    if moved.shape[0] != out.shape[0] or moved.shape[1] != 2 or work.shape[0] < ROWS or work.shape[1] != n:
        raise ValueError(f"each row has two displacements, and there must be room for {ROWS} rows")
    with nogil:
        for row in range(out.shape[0]):
            surface(restored, row + above, moved[row, 0], moved[row, 1], work)
            for j in range(n):
                out[row, j] -= <floating> (unit * (work[6, j] - restored[row + above, j]))
