# distutils: extra_compile_args = -ffp-contract=off
"""Noise kernels: arrays in, noise into a caller's output, which may be the input.

Every pixel's random numbers depend only on (seed, stream, pixel index), so the result does not depend on the threads.
Only additions, multiplications, divisions, square roots and comparisons are used, none fused into another, so it does
not depend on the processor or the compiler either.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport fabs, floor, sqrt
from libc.stdint cimport int32_t, uint32_t, uint64_t

from _dispatch cimport cloned_void
from _philox cimport (
    BLOCK, STREAM_COUNT, STREAM_COUNT_AGAIN, STREAM_IMPULSE, STREAM_NORMAL, STREAM_PATCH, box_muller, centred_uniform,
    fine_uniform, normal_block, philox, philox_block, uniform,
)
from _poisson cimport below_probability, exp_of_negative

cdef extern from *:
    """
    #ifdef _MSC_VER
    #pragma fp_contract (off)
    #endif
    """

cdef enum:
    LARGE_MEAN = 16  # Poisson means from here on are drawn by rejection (which needs 10), those below by inversion


cdef cloned_void gaussian_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t start, double level, bint clip, uint64_t seed
) noexcept nogil:
    cdef float normals[BLOCK]
    cdef floating scale = <floating> level
    cdef floating value
    cdef Py_ssize_t i
    normal_block(seed, start // 4, STREAM_NORMAL, normals)
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
        opposite = <floating> (value < <floating> 0.5)
        out[i] = opposite if words[i] <= last_hit else value


cdef cloned_void small_counts(const double* means, const uint32_t* words, double* numbers) noexcept nogil:
    """Draw Poisson numbers of means below LARGE_MEAN by inversion; those of larger means are left at 0.

    All lanes walk up the distribution together, until the last one has passed its uniform.
    """
    cdef double u[BLOCK]
    cdef double mean[BLOCK]
    cdef double probability[BLOCK]
    cdef double cumulative[BLOCK]
    cdef Py_ssize_t i, left
    cdef int n
    for i in range(BLOCK):
        u[i] = fine_uniform(words[i], words[BLOCK + i])
        mean[i] = means[i] if means[i] < LARGE_MEAN else 0
        probability[i] = exp_of_negative(mean[i])
        cumulative[i] = probability[i]
        numbers[i] = 0
    for n in range(1, 200):
        left = 0
        for i in range(BLOCK):
            left += u[i] >= cumulative[i]
            numbers[i] += <double> (u[i] >= cumulative[i])
            probability[i] *= mean[i] * (1.0 / n)
            cumulative[i] += probability[i]
        if left == 0:
            break


cdef cloned_void large_counts(
    const double* means, const uint32_t* words, double* numbers, uint64_t seed, uint64_t start
) noexcept nogil:
    """Draw Poisson numbers by PTRS, transformed rejection with a squeeze; means below LARGE_MEAN count as LARGE_MEAN.

    Hörmann, "The transformed rejection method for generating Poisson random variables", 1993. Each round proposes a
    number for all pixels still without one, takes most by the squeeze, and tests the rest against the distribution.
    Loops over doubles run on to a whole number of vectors, over values left from the round before.
    """
    cdef int32_t place[BLOCK]
    cdef int32_t pick[BLOCK]
    cdef int32_t taken[BLOCK]
    cdef uint32_t word0[BLOCK]
    cdef uint32_t word1[BLOCK]
    cdef double mean[BLOCK]
    cdef double k[BLOCK]
    cdef double v[BLOCK]
    cdef double us[BLOCK]
    cdef uint32_t c[4]
    cdef double a, b, u, density
    cdef Py_ssize_t i, j, unsure, pending = BLOCK
    cdef uint32_t attempt = 0
    for i in range(BLOCK):
        place[i] = <int32_t> i
        mean[i] = means[i] if means[i] > LARGE_MEAN else LARGE_MEAN
        word0[i] = words[i]
        word1[i] = words[BLOCK + i]
    while pending:
        for i in range((pending + 15) & ~15):
            b = 0.931 + 2.53 * sqrt(mean[i])
            a = 0.02483 * b - 0.059
            u = centred_uniform(word0[i])
            v[i] = uniform(word1[i])
            us[i] = 0.5 - fabs(u)
            k[i] = floor((2 * a / us[i] + b) * u + mean[i] + 0.43)
            taken[i] = (us[i] >= 0.07) & (v[i] * (b - 2) <= 0.9277 * (b - 2) - 3.6224)
        unsure = 0
        for i in range(pending):
            numbers[place[i]] = k[i]
            pick[unsure] = <int32_t> i
            unsure += 1 - taken[i]
        for i in range(unsure):
            j = pick[i]
            place[i] = place[j]
            mean[i] = mean[j]
            k[i] = k[j]
            v[i] = v[j]
            us[i] = us[j]
        for i in range((unsure + 15) & ~15):
            b = 0.931 + 2.53 * sqrt(mean[i])
            a = 0.02483 * b - 0.059
            density = v[i] * (1.1239 * (b - 3.4) + 1.1328) * us[i] * us[i] / ((b - 3.4) * (a + b * us[i] * us[i]))
            taken[i] = (
                (k[i] >= 0) & ((us[i] >= 0.013) | (v[i] <= us[i])) & below_probability(density, k[i], mean[i])
            )
        pending = 0
        for i in range(unsure):
            numbers[place[i]] = k[i]
            place[pending] = place[i]
            mean[pending] = mean[i]
            pending += 1 - taken[i]
        for i in range((pending + 15) & ~15):
            philox(seed, start + <uint64_t> place[i], STREAM_COUNT_AGAIN, attempt, c)
            word0[i] = c[0]
            word1[i] = c[1]
        attempt += 1


cdef cloned_void poisson_block(
    const floating* x, floating* out, Py_ssize_t size, uint64_t start, double counts, uint64_t seed
) noexcept nogil:
    cdef uint32_t words[2 * BLOCK]
    cdef double means[BLOCK]
    cdef double small[BLOCK]
    cdef double large[BLOCK]
    cdef Py_ssize_t i, any_small = 0, any_large = 0
    philox_block(seed, start // 2, STREAM_COUNT, words, BLOCK // 2)
    for i in range(size):
        means[i] = counts * <double> x[i]
    for i in range(size, BLOCK):
        means[i] = means[0]
    for i in range(BLOCK):
        any_small += means[i] < LARGE_MEAN
        any_large += means[i] >= LARGE_MEAN
        small[i] = 0
        large[i] = 0
    if any_small:
        small_counts(means, words, small)
    if any_large:
        large_counts(means, words, large, seed, start)
    for i in range(size):
        out[i] = <floating> ((small[i] if means[i] < LARGE_MEAN else large[i]) / counts)


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
