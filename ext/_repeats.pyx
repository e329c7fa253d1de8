"""The mean of an image's squares that look alike: see temclean/evidence/lines/repeats.py."""

from libc.math cimport floor, fmaxf, rint

from _dispatch cimport cloned_void

cdef enum:
    SIDE = 64  # of a square
    AROUND = 8  # side of the blocks in which it is seen how far a repeat differs
    BLOCKS = 8  # of these along a side
    WIDE = SIDE + 3  # with what a spline between its pixels needs beside it

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"


cdef void between(double fraction, float* weights) noexcept nogil:
    """Write the weights of four coefficients of a cubic spline at a fraction after the second of them."""
    cdef double t = fraction, rest = 1 - fraction
    weights[0] = <float> (rest * rest * rest / 6)
    weights[1] = <float> (2.0 / 3 - t * t * (1 - t / 2))
    weights[2] = <float> (2.0 / 3 - rest * rest * (1 - rest / 2))
    weights[3] = <float> (t * t * t / 6)


cdef cloned_void mix_rows(
    source_line first, source_line second, source_line third, source_line fourth, source_line weights, target_line out,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(WIDE):
        out[j] = weights[0] * first[j] + weights[1] * second[j] + weights[2] * third[j] + weights[3] * fourth[j]


cdef cloned_void shift(source_line row, source_line weights, target_line out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(SIDE):
        out[j] = weights[0] * row[j] + weights[1] * row[j + 1] + weights[2] * row[j + 2] + weights[3] * row[j + 3]


cdef cloned_void differ(source_line there, source_line square, target_line sums) noexcept nogil:
    """Add the squared differences of a row to the sums of its blocks."""
    cdef Py_ssize_t j
    cdef float squared[SIDE]
    for j in range(SIDE):
        squared[j] = (there[j] - square[j]) * (there[j] - square[j])
    for j in range(SIDE):
        sums[j // AROUND] += squared[j]


cdef cloned_void gather(
    source_line there, source_line inside, source_line shares, target_line total, target_line weights
) noexcept nogil:
    cdef Py_ssize_t j
    cdef float near
    for j in range(SIDE):
        near = inside[j] * shares[j]
        total[j] += near * there[j]
        weights[j] += near


def mean_of(
    const float[:, :] square not None, const float[:, ::1] bent not None, const float[:, ::1] inside not None,
    const double[:, ::1] places not None, Py_ssize_t top, Py_ssize_t left, float soft,
    float[:, ::1] total not None, float[:, ::1] weights not None,
):
    """Write the weighted mean of the repeats of a square into ``total``, and the sum of their weights.

    Where there is none, both are 0.

    Parameters
    ----------
    square : (64, 64), pixels next to each other in its rows.
    bent : (rows, columns), coefficients of the cubic spline through what the square is in.
    inside : (rows, columns), 1 where that is known, 0 beyond its border.
    places : (repeats, 3), how far below and to the right each is, in pixels, and its correlation.
    top, left : where the square is.
    soft : what is added to the squared difference of each block of 8x8 pixels.
    """
    cdef Py_ssize_t i, j, k, row, column
    cdef float[WIDE] mixed
    cdef float[SIDE] shares
    cdef float[BLOCKS] sums
    cdef float[SIDE][SIDE] there
    cdef float[4] down, right
    cdef float alike
    if square.shape[0] != SIDE or square.shape[1] != SIDE or places.shape[1] != 3:
        raise ValueError("a square of 64x64 pixels and rows of three numbers are needed")
    if total.shape[0] != SIDE or total.shape[1] != SIDE or weights.shape[0] != SIDE or weights.shape[1] != SIDE:
        raise ValueError("total and weights must be as large as the square")
    if bent.shape[0] != inside.shape[0] or bent.shape[1] != inside.shape[1]:
        raise ValueError("bent and inside must be of one shape")
    for k in range(places.shape[0]):
        row, column = top + <Py_ssize_t> floor(places[k, 0]), left + <Py_ssize_t> floor(places[k, 1])
        if row < 1 or column < 1 or row + SIDE + 2 > bent.shape[0] or column + SIDE + 2 > bent.shape[1]:
            raise ValueError("a repeat lies beyond the image")
    with nogil:
        for i in range(SIDE):
            for j in range(SIDE):
                total[i, j] = weights[i, j] = 0
        for k in range(places.shape[0]):
            row, column = top + <Py_ssize_t> floor(places[k, 0]), left + <Py_ssize_t> floor(places[k, 1])
            between(places[k, 0] - floor(places[k, 0]), down)
            between(places[k, 1] - floor(places[k, 1]), right)
            for i in range(SIDE):
                mix_rows(
                    &bent[row + i - 1, column - 1], &bent[row + i, column - 1], &bent[row + i + 1, column - 1],
                    &bent[row + i + 2, column - 1], down, mixed,
                )
                shift(mixed, right, there[i])
            row, column = top + <Py_ssize_t> rint(places[k, 0]), left + <Py_ssize_t> rint(places[k, 1])
            alike = <float> (places[k, 2] * places[k, 2])
            for i in range(SIDE):
                if i % AROUND == 0:
                    for j in range(BLOCKS):
                        sums[j] = 0
                    for j in range(AROUND):
                        differ(there[i + j], &square[i + j, 0], sums)
                    for j in range(SIDE):
                        shares[j] = alike / (sums[j // AROUND] / (AROUND * AROUND) + soft)
                gather(there[i], &inside[row + i, column], shares, &total[i, 0], &weights[i, 0])
        for i in range(SIDE):
            for j in range(SIDE):
                total[i, j] /= fmaxf(weights[i, j], <float> 1e-20)
