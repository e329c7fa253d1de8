"""Noise kernels: arrays in, noise into a caller's output.

Every pixel's random numbers depend only on (seed, stream, pixel index), so the result does not depend on the threads.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport fabs, log, sqrt
from libc.stdint cimport uint32_t, uint64_t

from _dispatch cimport cloned_void
from _philox cimport box_muller, fine_uniform, philox, philox_block, uniform

cdef enum:
    BLOCK = 256  # pixels that share one call of philox_block

cdef enum:
    STREAM_NORMAL = 0
    STREAM_IMPULSE = 1
    STREAM_PATCH = 2
    STREAM_COUNT = 3
    STREAM_COUNT_AGAIN = 4

cdef double SMALL_MEAN = 10.0

# ln n! = (n + 1/2) ln n - n + ln(2 pi) / 2 + STIRLING[n]
cdef double[16] STIRLING
STIRLING = [
    0.0, 0.08106146679532726, 0.0413406959554093, 0.02767792568499834, 0.02079067210376509, 0.01664469118982119,
    0.01387612882307075, 0.01189670994589177, 0.01041126526197209, 0.009255462182712733, 0.00833056343336287,
    0.007573675487951841, 0.00694284010720953, 0.006408994188004207, 0.005951370112758848, 0.005554733551962801,
]


cdef cloned_void gaussian_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t start, double level, bint clip, uint64_t seed
) noexcept nogil:
    cdef uint32_t words[BLOCK]
    cdef float normals[BLOCK]
    cdef floating scale = <floating> level
    cdef floating value
    cdef Py_ssize_t i
    philox_block(seed, start // 4, STREAM_NORMAL, words, BLOCK // 4)
    for i in range(BLOCK // 4):
        box_muller(words[i], words[64 + i], &normals[i], &normals[64 + i])
    for i in range(BLOCK // 4):
        box_muller(words[128 + i], words[192 + i], &normals[128 + i], &normals[192 + i])
    if clip:
        for i in range(size):
            value = x[i] + scale * normals[i]
            value = value if value > 0 else 0
            out[i] = value if value < 1 else 1
    else:
        for i in range(size):
            out[i] = x[i] + scale * normals[i]


cdef cloned_void salt_pepper_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t start, uint32_t last_hit, uint64_t seed
) noexcept nogil:
    cdef uint32_t words[BLOCK]
    cdef Py_ssize_t i
    cdef floating value, opposite
    philox_block(seed, start // 4, STREAM_IMPULSE, words, BLOCK // 4)
    for i in range(size):
        value = x[i]
        opposite = 1 if value < <floating> 0.5 else 0
        out[i] = opposite if words[i] <= last_hit else value


cdef inline bint accepted(double k, double mean, double density) noexcept nogil:
    """Return whether density <= Poisson probability of k, where k >= 0.

    ln p = -ln(2 pi k) / 2 - STIRLING(k) - D, D = k ln(k / mean) + mean - k, with D by a series near the mean, where
    the two parts would cancel (Loader, "Fast and accurate computation of binomial probabilities", 2000).
    """
    cdef double deviance, v, term, total, previous, n, error
    if k < 1:
        return log(density) <= -mean
    v = (k - mean) / (k + mean)
    if fabs(v) < 0.1:
        deviance = (k - mean) * v
        term = 2 * k * v
        n = 1
        previous = deviance - 1
        while deviance != previous:
            previous = deviance
            term *= v * v
            n += 2
            deviance += term / n
    else:
        deviance = k * log(k / mean) + mean - k
    if k < 16:
        error = STIRLING[<int> k]
    else:
        n = 1 / (k * k)
        error = (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - n / 1680) * n) * n) / k
    return log(density * sqrt(6.283185307179586 * k)) <= -error - deviance


cdef inline double whole(double value) noexcept nogil:
    """Return the largest integer not above value, |value| < 2^51, without SSE4.1's instruction for it."""
    cdef double nearest = (value + 6755399441055744.0) - 6755399441055744.0
    return nearest - 1 if nearest > value else nearest


cdef double large_count(double mean, uint32_t word0, uint32_t word1, uint64_t seed, uint64_t pixel) noexcept nogil:
    """Draw a Poisson number of mean >= 10 by PTRS; the first proposal is made of the two words.

    Hörmann, "The transformed rejection method for generating Poisson random variables", 1993.
    """
    cdef double b = 0.931 + 2.53 * sqrt(mean)
    cdef double a = -0.059 + 0.02483 * b
    cdef double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    cdef double u, v, us, k
    cdef uint32_t c[4]
    cdef uint32_t attempt = 0
    while True:
        u = (<double> word0 + 0.5) * (1.0 / 4294967296.0) - 0.5
        v = uniform(word1)
        us = 0.5 - fabs(u)
        k = whole((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        if k >= 0 and (us >= 0.013 or v <= us) and accepted(k, mean, v * inverse_alpha / (a / (us * us) + b)):
            return k
        if attempt % 2 == 0:
            philox(seed, pixel, STREAM_COUNT_AGAIN, attempt // 2, c)
            word0, word1 = c[0], c[1]
        else:
            word0, word1 = c[2], c[3]
        attempt += 1


cdef cloned_void poisson_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t start, double counts, uint64_t seed
) noexcept nogil:
    cdef uint32_t words[2 * BLOCK]
    cdef double means[BLOCK]
    cdef double numbers[BLOCK]
    cdef double u[BLOCK]
    cdef double p[BLOCK]
    cdef double cumulative[BLOCK]
    cdef double mean, square, r
    cdef Py_ssize_t i, left, large
    cdef uint32_t word0, word1
    cdef int n
    philox_block(seed, start // 2, STREAM_COUNT, words, BLOCK // 2)
    large = 0
    for i in range(size):
        means[i] = counts * <double> x[i]
        large += means[i] >= SMALL_MEAN
    for i in range(size, BLOCK):
        means[i] = 0
    for i in range(BLOCK // 2):
        u[i] = fine_uniform(words[i], words[128 + i])
        u[128 + i] = fine_uniform(words[256 + i], words[384 + i])
    for i in range(BLOCK):
        mean = means[i] if means[i] < SMALL_MEAN else 0
        r = mean * (-1.0 / 16)
        square = 1
        for n in range(15, 0, -1):
            square = 1 + square * r * (1.0 / n)
        square *= square
        square *= square
        square *= square
        square *= square
        p[i] = square
        cumulative[i] = square
        numbers[i] = 0
    for n in range(1, 100):
        left = 0
        for i in range(BLOCK):
            left += u[i] >= cumulative[i]
            numbers[i] += 1.0 if u[i] >= cumulative[i] else 0.0
            p[i] *= means[i] * (1.0 / n)
            cumulative[i] += p[i]
        if left == 0:
            break
    if large:
        for i in range(size):
            if means[i] >= SMALL_MEAN:
                word0 = words[i] if i < 128 else words[128 + i]
                word1 = words[128 + i] if i < 128 else words[256 + i]
                numbers[i] = large_count(means[i], word0, word1, seed, start + <uint64_t> i)
    for i in range(size):
        out[i] = <floating> (numbers[i] / counts)


cdef cloned_void lift_row(
    const floating* x, floating* out, Py_ssize_t count, const float* above, const float* below, float weight
) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating threshold, rise
    for i in range(count):
        threshold = above[i] + weight * (below[i] - above[i])
        rise = x[i] - threshold
        rise = rise if rise > 0 else 0
        out[i] = threshold + rise * rise / (1 - threshold)


cdef cloned_void count_faults(
    const floating* x, Py_ssize_t first, Py_ssize_t count, Py_ssize_t* unusable, Py_ssize_t* negative
) noexcept nogil:
    cdef Py_ssize_t i, not_finite = 0, below = 0
    for i in range(first, first + count):
        not_finite += not (x[i] - x[i] == 0)
        below += x[i] < 0
    unusable[0] += not_finite
    negative[0] += below


def faults(const floating[::1] x not None):
    """Return how many values are not finite, and how many are negative."""
    cdef Py_ssize_t unusable = 0, negative = 0
    with nogil:
        count_faults(&x[0], 0, x.shape[0], &unusable, &negative)
    return unusable, negative


def gaussian(
    const floating[::1] x not None, floating[::1] out not None, double level, bint clip, uint64_t seed, int threads
):
    """Write clip(x + level * N(0, 1)) into out."""
    cdef Py_ssize_t count = x.shape[0]
    cdef Py_ssize_t block
    for block in prange((count + BLOCK - 1) // BLOCK, nogil=True, schedule="static", num_threads=threads):
        gaussian_block(
            &x[block * BLOCK], &out[block * BLOCK], min(BLOCK, count - block * BLOCK), block * BLOCK, level, clip, seed
        )


def salt_pepper(
    const floating[::1] x not None, floating[::1] out not None, uint32_t last_hit, uint64_t seed, int threads
):
    """Write x into out, with the opposite extreme where the pixel's word is at most last_hit."""
    cdef Py_ssize_t count = x.shape[0]
    cdef Py_ssize_t block
    for block in prange((count + BLOCK - 1) // BLOCK, nogil=True, schedule="static", num_threads=threads):
        salt_pepper_block(
            &x[block * BLOCK], &out[block * BLOCK], min(BLOCK, count - block * BLOCK), block * BLOCK, last_hit, seed
        )


def poisson(const floating[::1] x not None, floating[::1] out not None, double counts, uint64_t seed, int threads):
    """Write P(counts * x) / counts into out."""
    cdef Py_ssize_t count = x.shape[0]
    cdef Py_ssize_t block
    for block in prange((count + BLOCK - 1) // BLOCK, nogil=True, schedule="static", num_threads=threads):
        poisson_block(
            &x[block * BLOCK], &out[block * BLOCK], min(BLOCK, count - block * BLOCK), block * BLOCK, counts, seed
        )


def lift(
    const floating[:, ::1] x not None, floating[:, ::1] out not None, const float[:, ::1] thresholds not None,
    const Py_ssize_t[::1] above not None, const Py_ssize_t[::1] below not None, const float[::1] weight not None,
    int threads,
):
    """Raise the floor of row y to thresholds[above[y]], mixed with [below[y]] by weight[y], and write it into out."""
    cdef Py_ssize_t row
    for row in prange(x.shape[0], nogil=True, schedule="static", num_threads=threads):
        lift_row(
            &x[row, 0], &out[row, 0], x.shape[1], &thresholds[above[row], 0], &thresholds[below[row], 0], weight[row]
        )


def patch_thresholds(double[::1] out not None, double height, double ceiling, uint64_t seed):
    """Draw one background threshold a patch: a brightness class, a benchmark in it, and a normal around that."""
    cdef uint32_t c[4]
    cdef float normal0, normal1
    cdef double u, benchmark, value
    cdef Py_ssize_t i
    for i in range(out.shape[0]):
        philox(seed, <uint64_t> i, STREAM_PATCH, 0, c)
        u = uniform(c[0])
        benchmark = (0 if u < 0.15 else 2 if u >= 0.85 else 1) + uniform(c[1])
        box_muller(c[2], c[3], &normal0, &normal1)
        value = height * (benchmark + normal0)
        out[i] = min(max(value, 0), ceiling)
