"""Scalar pieces of the Poisson sampler, written so that loops over them vectorise and give the same bits everywhere."""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy


cdef inline double natural_log(double y) noexcept nogil:
    """Return ln y of a positive normal number: y = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).

    ln(1 + f) = 2 artanh(s), s = f / (2 + f), its series cut so that the relative error stays below 1e-16.
    """
    cdef int64_t bits
    cdef int32_t exponent
    cdef double m, s, z, series
    memcpy(&bits, &y, 8)
    exponent = (<int32_t> (bits >> 32) - 0x3FE6A09E) >> 20
    bits -= <int64_t> (<uint64_t> exponent << 52)
    memcpy(&m, &bits, 8)
    s = (m - 1) / (m + 1)
    z = s * s
    series = 0.0740492857244850067 * z + 0.0765625705596190065
    series = series * z + 0.0909181610218912579
    series = series * z + 0.111110985235444917
    series = series * z + 0.14285714380365936
    series = series * z + 0.199999999996509701
    series = (series * z + 0.333333333333338232) * z
    return <double> exponent * 0.6931471805599453 + (2 * s + 2 * s * series)


cdef inline double stirling_error(double k) noexcept nogil:
    """Return ln k! - (k + 1/2) ln k + k - ln(2 pi) / 2 for whole k >= 1, to 4e-12: a polynomial in 1/k."""
    cdef double w = 1 / k
    cdef double series = -0.0000423109308491413896 * w + 0.000285391539867973157
    series = series * w - 0.000844247699520252343
    series = series * w + 0.00138788232449334707
    series = series * w - 0.00122538730763701159
    series = series * w + 0.000180316258322225057
    series = series * w + 0.000760885921609025468
    series = series * w + 3.58505363112099855e-6
    series = series * w - 0.00277798662407624587
    series = series * w + 4.94267790399102451e-9
    series = series * w + 0.0833333333131367517
    return series * w


cdef inline bint below_probability(double density, double k, double mean) noexcept nogil:
    """Return whether density <= mean^k exp(-mean) / k!, for whole k >= 0.

    ln k! is Stirling's with its error, and what is left is the deviance k ln(k / mean) + mean - k, which is
    mean ((1 + e) ln(1 + e) - e) with e = (k - mean) / mean, so nothing cancels however large the mean.
    """
    cdef double counted = k if k > 1 else 1
    cdef double e = (counted - mean) / mean
    cdef double y = 1 + e
    cdef double log_y = natural_log(y) + (e - (y - 1)) / y
    cdef double deviance = mean * (e * log_y - (e - log_y))
    deviance = deviance if k > 0 else mean - 1  # at k = 0 the other terms are those of k = 1, together 1 too large
    return natural_log(density * sqrt(6.283185307179586 * counted)) <= -deviance - stirling_error(counted)


cdef inline double exp_of_negative(double x) noexcept nogil:
    """Return exp(-x), 0 <= x < 16: the 32nd power of a Taylor series."""
    cdef double r = x * (-1.0 / 32)
    cdef double y = 1
    cdef int n
    for n in range(14, 0, -1):
        y = 1 + y * r * (1.0 / n)
    y *= y
    y *= y
    y *= y
    y *= y
    return y * y
