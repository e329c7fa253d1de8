"""Cut an image into tiles and put tiles back together, one pass over the pixels each way."""

from cython.parallel cimport parallel, prange, threadid
from libc.math cimport rint
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from _dispatch cimport cloned_void

# Tiles are short rows far apart, which the processor does not foresee: say some rows ahead what comes next. What is
# larger than the caches is best written past them: the processor would read each line first, and throw others out.
cdef extern from *:
    """
    #if defined(__GNUC__)
    #define TEMCLEAN_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define TEMCLEAN_PREFETCH(p) ((void) (p))
    #endif

    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    static void temclean_stream(const float *source, float *out, Py_ssize_t n, Py_ssize_t unit)
    {
        for (; n > 0 && ((size_t) out & (size_t) (unit - 1)); n--)
            *out++ = *source++;
        for (; n >= unit / 4; n -= unit / 4)
            for (Py_ssize_t i = 0; i < unit; i += 16, source += 4, out += 4)
                _mm_stream_ps(out, _mm_loadu_ps(source));
        for (; n > 0; n--)
            *out++ = *source++;
    }
    #define TEMCLEAN_STREAMED() _mm_sfence()
    #else
    #define temclean_stream(source, out, n, unit) memcpy(out, source, (size_t) (n) * sizeof(float))
    #define TEMCLEAN_STREAMED() ((void) 0)
    #endif
    """
    void prefetch "TEMCLEAN_PREFETCH"(const void*) noexcept nogil
    # Write past the caches what fills whole units of 16 or 64 bytes.
    void stream "temclean_stream"(const float* source, float* out, Py_ssize_t n, Py_ssize_t unit) noexcept nogil
    void streamed "TEMCLEAN_STREAMED"() noexcept nogil
    ctypedef const float* source_line "const float* __restrict"
    ctypedef float* target_line "float* __restrict"

cdef enum:
    AHEAD = 1 << 12  # floats; a processor waits for memory for about as long as it takes to copy so many
    CACHE = 1 << 23  # bytes; of more than that, little would still be in the caches when it is wanted
    VECTOR = 16  # bytes; the unit of what goes on where it ends
    LINE = 64  # bytes; the unit where a line of the cache may be finished much later

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


cdef inline Py_ssize_t reflect(Py_ssize_t index, Py_ssize_t length) noexcept nogil:
    """Fold an index into [0, length), the border pixel itself not repeated (NumPy's "reflect")."""
    cdef Py_ssize_t period = 2 * (length - 1)
    if length == 1:
        return 0
    index = index % period
    if index < 0:
        index += period
    return period - index if index >= length else index


cdef cloned_void scale_line(
    const pixel* source, Py_ssize_t stride, float* out, Py_ssize_t n, double offset, double scale
) noexcept nogil:
    """Write (source - offset) * scale; ``stride`` counts pixels. Double inside: uint32 counts do not fit float32."""
    cdef Py_ssize_t i
    if stride == 1:
        for i in range(n):
            out[i] = <float> ((<double> source[i] - offset) * scale)
    else:
        for i in range(n):
            out[i] = <float> ((<double> source[i * stride] - offset) * scale)


cdef inline void gather_line(
    const pixel* row, Py_ssize_t stride, Py_ssize_t width, Py_ssize_t left, float* out, Py_ssize_t n,
    double offset, double scale, bint past,
) noexcept nogil:
    """Fill one row of a tile whose first column is ``left`` of the image, and may lie outside it."""
    cdef Py_ssize_t begin = min(max(-left, 0), n)
    cdef Py_ssize_t end = max(min(width - left, n), begin)
    cdef Py_ssize_t i
    if pixel is float and stride == 1 and offset == 0 and scale == 1:
        if past:
            stream(row + left + begin, out + begin, end - begin, VECTOR)
        else:
            memcpy(out + begin, row + left + begin, (end - begin) * sizeof(float))
    else:
        scale_line(row + (left + begin) * stride, stride, out + begin, end - begin, offset, scale)
    for i in range(begin):
        scale_line(row + reflect(left + i, width) * stride, 1, out + i, 1, offset, scale)
    for i in range(end, n):
        scale_line(row + reflect(left + i, width) * stride, 1, out + i, 1, offset, scale)


def gather(
    const pixel[:, :] image not None,
    const Py_ssize_t[::1] tops not None,
    const Py_ssize_t[::1] lefts not None,
    float[:, :, ::1] out not None,
    double offset,
    double scale,
    int threads,
):
    """Fill ``out[k]`` with the tile at (tops[k], lefts[k]), scaled, reflected where it leaves the image.

    Tiles of one row are filled together, row by row of the image, because memory likes to be read in one sweep.
    """
    cdef Py_ssize_t height = image.shape[0], width = image.shape[1]
    cdef Py_ssize_t rows = out.shape[1], columns = out.shape[2]
    cdef Py_ssize_t below = image.strides[0] // <Py_ssize_t> sizeof(pixel)
    cdef Py_ssize_t stride = image.strides[1] // <Py_ssize_t> sizeof(pixel)
    cdef bint past = out.shape[0] * rows * columns * <Py_ssize_t> sizeof(float) > CACHE
    cdef Py_ssize_t first = 0, last, ahead, i, j, k
    cdef const pixel* row
    with nogil:
        while first < out.shape[0]:
            last = first + 1
            while last < out.shape[0] and tops[last] == tops[first]:
                last = last + 1
            ahead = 1 + AHEAD // ((last - first) * columns)
            with parallel(num_threads=threads):
                for i in prange(rows, schedule="static"):
                    row = &image[reflect(tops[first] + i, height), 0]
                    for k in range(first, last):
                        for j in range(0, columns, 16):  # floats in a cache line
                            prefetch(row + ahead * below + lefts[k] + j)
                        gather_line(row, stride, width, lefts[k], &out[k, i, 0], columns, offset, scale, past)
                streamed()
            first = last


cdef cloned_void blend_line(
    source_line tile, source_line before, source_line weights, Py_ssize_t ramp, source_line top, float weight,
    target_line out, Py_ssize_t n,
) noexcept nogil:
    """Mix one row of a tile with its left neighbour (``before``) in a ramp, then with the tiles above (``top``).

    Weighted as a + w (b - a): where both agree the result is exact.
    """
    cdef Py_ssize_t i
    if top == NULL:
        for i in range(ramp):
            out[i] = before[i] + weights[i] * (tile[i] - before[i])
        memcpy(out + ramp, tile + ramp, (n - ramp) * sizeof(float))
    else:
        for i in range(ramp):
            out[i] = top[i] + weight * (before[i] + weights[i] * (tile[i] - before[i]) - top[i])
        for i in range(ramp, n):
            out[i] = top[i] + weight * (tile[i] - top[i])


cdef cloned_void store_line(
    const float* line, pixel* out, Py_ssize_t n, double offset, double scale, double low, double high
) noexcept nogil:
    """Write offset + scale * line; integers are rounded and clipped to [low, high], NaN becomes ``low``."""
    cdef Py_ssize_t i
    cdef double value
    for i in range(n):
        value = offset + scale * <double> line[i]
        if pixel is float or pixel is double:
            out[i] = <pixel> value
        else:
            value = rint(value)
            value = value if value > low else low
            value = value if value < high else high
            out[i] = <pixel> value


cdef inline void blend_run(
    const float* tile, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t first, Py_ssize_t run,
    const Py_ssize_t[:, ::1] axis, const float* weights, float* left, const float* top, float weight, float* line,
    pixel* out, double offset, double scale, double low, double high, bint past,
) noexcept nogil:
    """Blend one row of pixels through ``run`` tiles side by side, the first being number ``first`` of its row.

    Where the line cannot be written to ``out`` as it is, or is to go past the caches, it is made in ``line``.
    """
    cdef bint same = pixel is float and offset == 0 and scale == 1
    cdef bint direct = same and not past
    cdef const float* before = left
    cdef Py_ssize_t begin = axis[1, first], end = axis[1, first + run], ahead = 1 + AHEAD // (run * columns)
    cdef Py_ssize_t c, i, x
    if direct:
        line = <float*> out
    for c in range(first, first + run):
        for i in range(0, columns, 16):  # floats in a cache line
            prefetch(tile + ahead * columns + i)
        x = axis[1, c]
        blend_line(
            tile + x - axis[0, c], before, weights + x, axis[2, c] - x, top + x if top != NULL else NULL, weight,
            line + x, axis[1, c + 1] - x,
        )
        before = tile + axis[1, c + 1] - axis[0, c]
        tile = tile + rows * columns
    c = first + run
    memcpy(left, before, (axis[2, c] - axis[1, c]) * sizeof(float))
    if pixel is float and past:
        if not same:
            store_line(line + begin, line + begin, end - begin, offset, scale, low, high)
        stream(line + begin, <float*> out + begin, end - begin, VECTOR if run == axis.shape[1] - 1 else LINE)
    elif not direct:
        store_line(line + begin, out + begin, end - begin, offset, scale, low, high)


def blend(
    const float[:, :, ::1] tiles not None,
    Py_ssize_t first,
    const Py_ssize_t[:, ::1] row_axis not None,
    const Py_ssize_t[:, ::1] column_axis not None,
    const float[::1] row_weights not None,
    const float[::1] column_weights not None,
    float[:, ::1] left not None,
    float[:, ::1] top not None,
    float[:, ::1] lines not None,
    pixel[:, ::1] out not None,
    Py_ssize_t out_top,
    double offset,
    double scale,
    double low,
    double high,
    int threads,
):
    """Add tiles number ``first`` and on, in reading order; every pixel of ``out`` is written once.

    An axis holds three rows: the tiles' starts, and where the ramp before each tile begins and ends; one more entry,
    the length, closes each. Its weights are those of the later tile, one for each pixel of a ramp. ``left`` and ``top``
    carry the ramps to the next call and to the next row of tiles; ``lines`` is one row of the image a thread, for
    scratch. ``out`` begins at the image's row ``out_top``.
    """
    cdef Py_ssize_t across = column_axis.shape[1] - 1, count = tiles.shape[0]
    cdef bint past = out.shape[0] * out.shape[1] * <Py_ssize_t> sizeof(pixel) > CACHE
    cdef Py_ssize_t k = 0, run, r, c, y, begin, middle, finish, end
    with nogil:
        while k < count:
            r = (first + k) // across
            c = (first + k) % across
            run = min(across - c, count - k)
            begin = row_axis[1, r]
            middle = row_axis[2, r]
            finish = row_axis[1, r + 1]
            end = row_axis[2, r + 1]
            with parallel(num_threads=threads):
                for y in prange(begin, finish, schedule="static"):
                    blend_run(
                        &tiles[k, y - row_axis[0, r], 0], tiles.shape[1], tiles.shape[2], c, run, column_axis,
                        &column_weights[0], &left[y - row_axis[0, r], 0], &top[y - begin, 0] if y < middle else NULL,
                        row_weights[y], &lines[threadid(), 0], &out[y - out_top, 0], offset, scale, low, high, past,
                    )
                streamed()
            # A loop of its own: these rows of top may still be read above.
            for y in prange(finish, end, schedule="static", num_threads=threads):
                blend_run[float](
                    &tiles[k, y - row_axis[0, r], 0], tiles.shape[1], tiles.shape[2], c, run, column_axis,
                    &column_weights[0], &left[y - row_axis[0, r], 0], NULL, 0, NULL, &top[y - finish, 0], 0, 1, 0, 0,
                    False,
                )
            k = k + run


def roll(const pixel[:, :] image not None, Py_ssize_t down, Py_ssize_t right, pixel[:, ::1] out not None, int threads):
    """Write ``image`` moved by (down, right) pixels into ``out``; what leaves on one side comes back on the other."""
    cdef Py_ssize_t height = image.shape[0], width = image.shape[1]
    cdef Py_ssize_t stride = image.strides[1] // <Py_ssize_t> sizeof(pixel)
    cdef Py_ssize_t i, j
    cdef const pixel* row
    for i in prange(height, nogil=True, schedule="static", num_threads=threads):
        row = &image[i - down if i >= down else i - down + height, 0]
        if stride == 1:
            memcpy(&out[i, 0], row + width - right, right * sizeof(pixel))
            memcpy(&out[i, 0] + right, row, (width - right) * sizeof(pixel))
        else:
            for j in range(width):
                out[i, j] = row[(j - right if j >= right else j - right + width) * stride]
