"""What is measured of noise, on pieces (count, rows, columns) of an image whose pixels lie side by side along rows.

Products are written down before they are added up, each by a function of its own, so that no processor's fused
multiply-add rounds them otherwise: the bits are those of NumPy.
"""

from libc.math cimport fabsf
from libc.stdint cimport uint8_t

from _dispatch cimport cloned_void

cdef enum:
    WIDE = 1024  # pixels of a row that are worked on in one go
    WIDEST = 128  # side of a block
    LANES = 8  # sums side by side, as NumPy has them

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"
    ctypedef uint8_t* mask_line "uint8_t* __restrict"

ctypedef fused real:
    float
    double


cdef cloned_void bend_row(
    source_line before, source_line here, source_line after, Py_ssize_t n, target_line out
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = (before[j] + after[j]) - 2 * here[j]


cdef cloned_void multiply_row(source_line x, source_line y, Py_ssize_t n, target_line out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = x[j] * y[j]


cdef cloned_void scale_row(source_line x, float weight, Py_ssize_t n, target_line out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = x[j] * weight


cdef cloned_void add_row(source_line x, Py_ssize_t n, target_line out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] += x[j]


cdef inline real summed(const float* x, Py_ssize_t n, real total) noexcept nogil:
    """Return the sum of n neighbours, in the precision of ``total``, which is 0."""
    cdef real[LANES] part
    cdef Py_ssize_t i, k
    if n < LANES:
        for i in range(n):
            total += x[i]
        return total
    for k in range(LANES):
        part[k] = x[k]
    i = LANES
    while i + LANES <= n:
        for k in range(LANES):
            part[k] += x[i + k]
        i += LANES
    total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]))
    while i < n:
        total += x[i]
        i += 1
    return total


cdef cloned_void blocks_of_row(const float* line, Py_ssize_t side, Py_ssize_t n, double* out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = summed(line + j * side, side, <double> 0)


cdef cloned_void parts_of_row(const float* line, Py_ssize_t side, Py_ssize_t n, float* out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = summed(line + j * side, side, <float> 0)


cdef cloned_void blocks_of_parts(
    const float* parts, Py_ssize_t side, Py_ssize_t n, double* out, Py_ssize_t step
) noexcept nogil:
    cdef Py_ssize_t j, row
    cdef double total
    for j in range(n):
        total = 0.0
        for row in range(side):
            total += parts[row * n + j]
        out[j * step] = total


cdef cloned_void wild_row(
    source_line above, source_line here, source_line below, Py_ssize_t n, float least, mask_line dark, mask_line bright
) noexcept nogil:
    """Look at n pixels from the second one of a row on."""
    cdef Py_ssize_t j
    cdef float low, high, bound
    for j in range(n):
        low = min(min(above[j], above[j + 1]), above[j + 2])
        low = min(low, min(min(below[j], below[j + 1]), below[j + 2]))
        low = min(low, min(here[j], here[j + 2]))
        high = max(max(above[j], above[j + 1]), above[j + 2])
        high = max(high, max(max(below[j], below[j + 1]), below[j + 2]))
        high = max(high, max(here[j], here[j + 2]))
        bound = max(least, 2 * (high - low))
        dark[j] = low - here[j + 1] > bound
        bright[j] = here[j + 1] - high > bound


cdef void check_rows(const float[:, :, :] x) except *:
    if x.strides[2] != sizeof(float):
        raise ValueError("pixels do not lie side by side along rows")


def bend(const float[:, :, :] x not None, int axis, float[:, :, ::1] out not None):
    """Write the second difference along axis 1 or 2."""
    cdef Py_ssize_t piece, row, n = out.shape[2]
    cdef Py_ssize_t down = 2 if axis == 1 else 0, across = 2 - down
    check_rows(x)
    if (
        axis not in (1, 2) or out.shape[0] != x.shape[0] or out.shape[1] + down != x.shape[1]
        or n + across != x.shape[2]
    ):
        raise ValueError(f"no second difference along axis {axis} has these shapes")
    with nogil:
        for piece in range(out.shape[0]):
            for row in range(out.shape[1]):
                bend_row(
                    &x[piece, row, 0], &x[piece, row + down // 2, across // 2], &x[piece, row + down, across], n,
                    &out[piece, row, 0],
                )


def weighted(
    const float[:, :, :] x not None, const float[::1] weights not None, int axis, float[:, :, ::1] out not None
):
    """Write the sum of the neighbours from each pixel on along axis 1 or 2, each times its weight."""
    cdef Py_ssize_t piece, row, band, part, left, some, last = weights.shape[0] - 1, n = out.shape[2]
    cdef Py_ssize_t down = 1 if axis == 1 else 0, across = 1 - down
    cdef float[WIDE] line
    check_rows(x)
    if (
        axis not in (1, 2) or last < 0 or out.shape[0] != x.shape[0] or out.shape[1] + down * last != x.shape[1]
        or n + across * last != x.shape[2]
    ):
        raise ValueError(f"no weighted sum along axis {axis} has these shapes")
    with nogil:
        for piece in range(out.shape[0]):
            for row in range(out.shape[1]):
                for band in range((n + WIDE - 1) // WIDE):
                    left = band * WIDE
                    some = min(<Py_ssize_t> WIDE, n - left)
                    scale_row(&x[piece, row, left], weights[0], some, &out[piece, row, left])
                    for part in range(1, last + 1):
                        scale_row(&x[piece, row + down * part, left + across * part], weights[part], some, &line[0])
                        add_row(&line[0], some, &out[piece, row, left])


def block_sums(const float[:, :, :] x not None, Py_ssize_t side, double[:, :, ::1] out not None):
    """Write the sums over blocks from the top left on: down each column in single precision, then across."""
    cdef Py_ssize_t piece, block, row, part, left, some, n = out.shape[2], most
    cdef float[WIDE] total
    check_rows(x)
    if (
        not 0 < side <= WIDEST or out.shape[0] != x.shape[0] or out.shape[1] * side > x.shape[1]
        or n * side > x.shape[2]
    ):
        raise ValueError(f"there are not so many blocks of {side}x{side}")
    most = WIDE // side
    with nogil:
        for piece in range(out.shape[0]):
            for block in range(out.shape[1]):
                for part in range((n + most - 1) // most):
                    left = part * most
                    some = min(most, n - left)
                    for row in range(some * side):
                        total[row] = 0.0
                    for row in range(block * side, (block + 1) * side):
                        add_row(&x[piece, row, left * side], some * side, &total[0])
                    blocks_of_row(&total[0], side, some, &out[piece, block, left])


def block_products(const float[:, :, :] x not None, Py_ssize_t lag, Py_ssize_t side, double[:, :, ::1] out not None):
    """Write the same of the products of each pixel with the one ``lag`` further along its row."""
    cdef Py_ssize_t piece, block, row, part, left, some, n = out.shape[2], most
    cdef float[WIDE] total
    cdef float[WIDE] line
    check_rows(x)
    if (
        not 0 < side <= WIDEST or lag < 0 or out.shape[0] != x.shape[0] or out.shape[1] * side > x.shape[1]
        or n * side + lag > x.shape[2]
    ):
        raise ValueError(f"there are not so many blocks of {side}x{side}, {lag} apart")
    most = WIDE // side
    with nogil:
        for piece in range(out.shape[0]):
            for block in range(out.shape[1]):
                for part in range((n + most - 1) // most):
                    left = part * most
                    some = min(most, n - left)
                    for row in range(some * side):
                        total[row] = 0.0
                    for row in range(block * side, (block + 1) * side):
                        multiply_row(
                            &x[piece, row, left * side], &x[piece, row, left * side + lag], some * side, &line[0]
                        )
                        add_row(&line[0], some * side, &total[0])
                    blocks_of_row(&total[0], side, some, &out[piece, block, left])


def block_products_down(
    const float[:, :, :] x not None, Py_ssize_t lag, Py_ssize_t side, double[:, :, ::1] out not None
):
    """Write what `block_products` does of the pieces turned, rows for columns; so is ``out``."""
    cdef Py_ssize_t piece, block, row, part, left, some, n = out.shape[1], most
    cdef float[WIDE] line
    cdef float[WIDE] parts
    check_rows(x)
    if (
        not 0 < side <= WIDEST or lag < 0 or out.shape[0] != x.shape[0] or n * side > x.shape[2]
        or out.shape[2] * side + lag > x.shape[1]
    ):
        raise ValueError(f"there are not so many blocks of {side}x{side}, {lag} apart")
    most = WIDE // side
    with nogil:
        for piece in range(out.shape[0]):
            for block in range(out.shape[2]):
                for part in range((n + most - 1) // most):
                    left = part * most
                    some = min(most, n - left)
                    for row in range(side):
                        multiply_row(
                            &x[piece, block * side + row, left * side],
                            &x[piece, block * side + row + lag, left * side], some * side, &line[0],
                        )
                        parts_of_row(&line[0], side, some, &parts[row * some])
                    blocks_of_parts(&parts[0], side, some, &out[piece, left, block], out.shape[2])


def crossed(const float[:, :, :] x not None, float[::1] out not None):
    """Write |a - b - c + d| of 2x2 pixels, a c above b d, none of them at 0 or 1; return of how many."""
    cdef Py_ssize_t piece, row, column, n = 0
    cdef float a, b, c, d
    check_rows(x)
    if out.shape[0] < x.shape[0] * (x.shape[1] // 2) * (x.shape[2] // 2):
        raise ValueError("there is too little room")
    with nogil:
        for piece in range(x.shape[0]):
            for row in range(0, x.shape[1] - 1, 2):
                for column in range(0, x.shape[2] - 1, 2):
                    a = x[piece, row, column]
                    b = x[piece, row + 1, column]
                    c = x[piece, row, column + 1]
                    d = x[piece, row + 1, column + 1]
                    out[n] = fabsf(a - b - c + d)
                    n += (a > 0) & (a < 1) & (b > 0) & (b < 1) & (c > 0) & (c < 1) & (d > 0) & (d < 1)
    return n


def wild(
    const float[:, :, :] x not None, float least, uint8_t[:, :, ::1] dark not None, uint8_t[:, :, ::1] bright not None
):
    """Write which pixels, but for those at the edges, lie beyond all eight neighbours.

    By more than ``least``, and by more than twice what there is between the least and the greatest of these.
    """
    cdef Py_ssize_t piece, row, n = dark.shape[2]
    check_rows(x)
    if (
        dark.shape[0] != x.shape[0] or dark.shape[1] + 2 != x.shape[1] or n + 2 != x.shape[2]
        or bright.shape[0] != x.shape[0] or bright.shape[1] != dark.shape[1] or bright.shape[2] != n
    ):
        raise ValueError("a mask has two rows and two columns less than the pieces")
    with nogil:
        for piece in range(dark.shape[0]):
            for row in range(dark.shape[1]):
                wild_row(
                    &x[piece, row, 0], &x[piece, row + 1, 0], &x[piece, row + 2, 0], n, least,
                    &dark[piece, row, 0], &bright[piece, row, 0],
                )
