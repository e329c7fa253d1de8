"""Random words, uniforms and normals that depend only on (seed, stream, attempt, index): Philox4x32-10.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11 (2011).
"""

from libc.math cimport sqrtf
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    BLOCK = 256  # pixels that share one call of philox_block

cdef enum:
    STREAM_NORMAL = 0
    STREAM_IMPULSE = 1
    STREAM_PATCH = 2
    STREAM_COUNT = 3
    STREAM_COUNT_AGAIN = 4
    STREAM_WALK = 5
    STREAM_WANDER = 6
    STREAM_LINE = 7
    STREAM_CLUSTER = 8
    STREAM_DARK = 9
    STREAM_HOT = 10


cdef inline void philox_round(uint32_t* c, uint32_t k0, uint32_t k1) noexcept nogil:
    cdef uint64_t product0 = <uint64_t> 0xD2511F53u * c[0]
    cdef uint64_t product1 = <uint64_t> 0xCD9E8D57u * c[2]
    c[0] = <uint32_t> (product1 >> 32) ^ c[1] ^ k0
    c[1] = <uint32_t> product1
    c[2] = <uint32_t> (product0 >> 32) ^ c[3] ^ k1
    c[3] = <uint32_t> product0


cdef inline void philox(uint64_t seed, uint64_t index, uint32_t stream, uint32_t attempt, uint32_t* c) noexcept nogil:
    """Encrypt the counter (index, stream, attempt) under the seed into four words."""
    cdef uint32_t k0 = <uint32_t> seed
    cdef uint32_t k1 = <uint32_t> (seed >> 32)
    cdef int _
    c[0] = <uint32_t> index
    c[1] = <uint32_t> (index >> 32)
    c[2] = stream
    c[3] = attempt
    for _ in range(10):
        philox_round(c, k0, k1)
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u


cdef inline void philox_block(
    uint64_t seed, uint64_t first, uint32_t stream, uint32_t* words, Py_ssize_t lanes
) noexcept nogil:
    """Put word j of counter first + i at words[j * lanes + i]."""
    cdef uint32_t c[4]
    cdef Py_ssize_t i
    for i in range(lanes):
        philox(seed, first + <uint64_t> i, stream, 0, c)
        words[i] = c[0]
        words[lanes + i] = c[1]
        words[2 * lanes + i] = c[2]
        words[3 * lanes + i] = c[3]


cdef inline double uniform(uint32_t word) noexcept nogil:
    """Return a number inside (0, 1), 31 bits fine."""
    return (<double> <int32_t> (word >> 1) + 0.5) * (1.0 / 2147483648.0)


cdef inline double centred_uniform(uint32_t word) noexcept nogil:
    """Return a number inside (-1/2, 1/2), 32 bits fine."""
    return (<double> <int32_t> word + 0.5) * (1.0 / 4294967296.0)


cdef inline double fine_uniform(uint32_t high, uint32_t low) noexcept nogil:
    """Return a number inside (0, 1), 52 bits fine, exactly representable and never 1."""
    cdef double upper = <double> <int32_t> (high >> 6) * 67108864.0
    return (upper + <double> <int32_t> (low >> 6) + 0.5) * (1.0 / 4503599627370496.0)


cdef inline void box_muller(uint32_t word0, uint32_t word1, float* normal0, float* normal1) noexcept nogil:
    """Turn two words into two independent standard normals, |z| < 6.67.

    The radius is sqrt(-2 ln u). The angle is a point of the quarter turn around zero, from which two bits reach the
    other three quarters by exchanging sine and cosine and by changing the sign of the larger of them. As u carries the
    24 bits of a float, a normal is right to 1e-6 down to radii of 0.03, and to 3e-4 below.
    """
    cdef float u = (<float> <int32_t> (word0 >> 1) + <float> 0.5) * <float> (1.0 / 2147483648.0)
    cdef int32_t bits, exponent
    cdef float f, log_u, radius, y, z, s, c
    memcpy(&bits, &u, 4)
    bits -= 0x3F3504F3  # sqrt(1/2): with the mantissa in [sqrt(1/2), sqrt(2)), ln u keeps its precision near u = 1
    exponent = bits >> 23
    bits = (bits & 0x007FFFFF) + 0x3F3504F3
    memcpy(&f, &bits, 4)
    f -= 1
    log_u = <float> -0.1037842937 * f + <float> 0.1633804581
    log_u = log_u * f - <float> 0.1721247460
    log_u = log_u * f + <float> 0.1988424978
    log_u = log_u * f - <float> 0.2497155773
    log_u = log_u * f + <float> 0.3333560740
    log_u = log_u * f - <float> 0.5000034432
    log_u = log_u * f + <float> 0.9999999179
    log_u = log_u * f + <float> exponent * <float> 0.6931471806
    radius = sqrtf(<float> -2 * log_u)
    y = <float> <int32_t> word1 * <float> (1.0 / 2147483648.0)
    z = y * y
    s = <float> -3.595450766e-05 * z + <float> 2.490007128e-03
    s = s * z - <float> 0.08074543483
    s = (s * z + <float> 0.7853981610) * y * radius
    c = <float> -3.188805067e-04 * z + <float> 1.584991527e-02
    c = c * z - <float> 0.3084242536
    c = (c * z + <float> 0.9999999724) * radius
    c = -c if word1 & 2 else c
    normal0[0] = s if word1 & 1 else c
    normal1[0] = c if word1 & 1 else s


cdef inline void normal_block(uint64_t seed, uint64_t first, uint32_t stream, float* normals) noexcept nogil:
    """Draw BLOCK normals from the BLOCK / 4 counters from ``first`` on."""
    cdef uint32_t words[BLOCK]
    cdef Py_ssize_t i
    philox_block(seed, first, stream, words, BLOCK // 4)
    for i in range(BLOCK // 4):
        box_muller(words[i], words[64 + i], &normals[i], &normals[64 + i])
    for i in range(BLOCK // 4):
        box_muller(words[128 + i], words[192 + i], &normals[128 + i], &normals[192 + i])
