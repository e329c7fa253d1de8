"""Power spectra of squares of an image, and their median: see temclean/evidence/lattice.py."""

from libc.math cimport M_PI, cos, sin

from _dispatch cimport cloned_void

cdef enum:
    WIDE = 64  # pixels along a square
    HALF = 33  # frequencies along its rows; the others mirror these
    TURNS = 32  # of a whole one, by which frequencies are turned
    BITS = 6
    MOST = 16  # squares

SIDE = WIDE

cdef extern from *:
    ctypedef float* target_line "float* __restrict"
    ctypedef const float* source_line "const float* __restrict"


cdef cloned_void weigh(source_line pixels, source_line window, target_line out) noexcept nogil:
    """Write a square without its mean, under a window."""
    cdef Py_ssize_t i
    cdef double total = 0.0
    cdef float mean
    for i in range(WIDE * WIDE):
        total += pixels[i]
    mean = <float> (total / (WIDE * WIDE))
    for i in range(WIDE * WIDE):
        out[i] = (pixels[i] - mean) * window[i]


cdef cloned_void butterfly(
    target_line upper, target_line upper_i, target_line lower, target_line lower_i, float cosine, float sine
) noexcept nogil:
    cdef Py_ssize_t j
    cdef float real, imaginary
    for j in range(WIDE):
        real = upper[j] - lower[j]
        imaginary = upper_i[j] - lower_i[j]
        upper[j] += lower[j]
        upper_i[j] += lower_i[j]
        lower[j] = real * cosine - imaginary * sine
        lower_i[j] = real * sine + imaginary * cosine


cdef void transform(float* real, float* imaginary, const float* cosines, const float* sines) noexcept nogil:
    """Transform all columns of a square by radix 2; row k of the result lies where the bits of k, reversed, say."""
    cdef Py_ssize_t half = TURNS, each, k, upper, lower
    while half:
        for each in range(TURNS):
            k = each % half
            upper = (2 * each - k) * WIDE
            lower = upper + half * WIDE
            butterfly(
                real + upper, imaginary + upper, real + lower, imaginary + lower,
                cosines[k * (TURNS // half)], sines[k * (TURNS // half)],
            )
        half //= 2


cdef void transpose(const float* source, float* out) noexcept nogil:
    cdef Py_ssize_t top, left, i, j
    for top in range(0, WIDE, 8):
        for left in range(0, WIDE, 8):
            for i in range(top, top + 8):
                for j in range(left, left + 8):
                    out[j * WIDE + i] = source[i * WIDE + j]


cdef void powers_of_two(
    const float* real, const float* imaginary, const Py_ssize_t* place, float* first, float* second
) noexcept nogil:
    """Write the power spectra of the two real squares of which one was the real part, one the imaginary."""
    cdef Py_ssize_t row, column, here, there
    cdef float a, b, c, d
    for row in range(WIDE):
        for column in range(HALF):
            here = place[column] * WIDE + place[row]
            there = place[(WIDE - column) % WIDE] * WIDE + place[(WIDE - row) % WIDE]
            a = real[here] + real[there]
            b = imaginary[here] - imaginary[there]
            c = imaginary[here] + imaginary[there]
            d = real[here] - real[there]
            first[row * HALF + column] = (a * a + b * b) / 4
            second[row * HALF + column] = (c * c + d * d) / 4


cdef cloned_void put_in_order(target_line one, target_line other) noexcept nogil:
    cdef Py_ssize_t j
    cdef float less, more
    for j in range(WIDE * HALF):
        less = one[j] if one[j] < other[j] else other[j]
        more = other[j] if one[j] < other[j] else one[j]
        one[j] = less
        other[j] = more


def median_power(
    const float[:, :, ::1] squares not None, const float[:, ::1] window not None, float[:, :, ::1] work not None,
    double[:, ::1] out not None,
):
    """Write the median, over squares, of the power spectra of squares without their mean under a window, (64, 33).

    ``work`` is room for the squares' power, (squares and one, 64, 33).
    """
    cdef float[WIDE * WIDE] real
    cdef float[WIDE * WIDE] imaginary
    cdef float[WIDE * WIDE] turned
    cdef float[WIDE * WIDE] turned_i
    cdef float[TURNS] cosines
    cdef float[TURNS] sines
    cdef Py_ssize_t[WIDE] place
    cdef Py_ssize_t count = squares.shape[0], number, other, i, bit
    if squares.shape[1] != WIDE or squares.shape[2] != WIDE or not 0 < count <= MOST:
        raise ValueError(f"there must be 1 to {MOST} squares of {WIDE}x{WIDE}")
    if window.shape[0] != WIDE or window.shape[1] != WIDE or out.shape[0] != WIDE or out.shape[1] != HALF:
        raise ValueError(f"the window is of {WIDE}x{WIDE}, the spectrum of {WIDE}x{HALF}")
    if work.shape[0] != count + 1 or work.shape[1] != WIDE or work.shape[2] != HALF:
        raise ValueError(f"there must be room for {count + 1} spectra")
    with nogil:
        for i in range(WIDE):
            place[i] = 0
            for bit in range(BITS):
                place[i] |= (i >> bit & 1) << (BITS - 1 - bit)
        for i in range(TURNS):
            cosines[i] = <float> cos(2 * M_PI * i / WIDE)
            sines[i] = <float> -sin(2 * M_PI * i / WIDE)
        for number in range(0, count, 2):
            other = number + 1 if number + 1 < count else number
            weigh(&squares[number, 0, 0], &window[0, 0], real)
            weigh(&squares[other, 0, 0], &window[0, 0], imaginary)
            transform(real, imaginary, cosines, sines)
            transpose(real, turned)
            transpose(imaginary, turned_i)
            transform(turned, turned_i, cosines, sines)
            powers_of_two(turned, turned_i, place, &work[number, 0, 0], &work[number + 1, 0, 0])
        for number in range(count):  # by exchange of neighbours: as many rounds as there are
            for i in range(number % 2, count - 1, 2):
                put_in_order(&work[i, 0, 0], &work[i + 1, 0, 0])
        for i in range(WIDE * HALF):
            (&out[0, 0])[i] = ((&work[(count - 1) // 2, 0, 0])[i] + (&work[count // 2, 0, 0])[i]) / <float> 2
