"""Decode TIFF's variety of LZW, which few microscope PCs have a library for."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    CLEAR = 256
    END = 257
    FIRST = 258
    CODES = 4096


cdef Py_ssize_t decode_into(
    const uint8_t* data, Py_ssize_t size, uint8_t* out, Py_ssize_t room, bint reverse
) noexcept nogil:
    # A code's string is the one before it and one byte more, so it lies in the output already: a place and a length.
    cdef Py_ssize_t[CODES] place
    cdef Py_ssize_t[CODES] length
    cdef Py_ssize_t at = 0, written = 0, start, count, last = 0, last_count = 0, i
    cdef uint32_t bits = 0
    cdef int held = 0, width = 9, following = FIRST, code

    while written < room:
        while held < width:
            if at == size:
                return written
            if reverse:
                bits |= <uint32_t> data[at] << held
            else:
                bits = (bits << 8) | data[at]
            at += 1
            held += 8
        held -= width
        if reverse:
            code = <int> (bits & ((<uint32_t> 1 << width) - 1))
            bits >>= width
        else:
            code = <int> ((bits >> held) & ((<uint32_t> 1 << width) - 1))

        if code == END:
            break
        if code == CLEAR:
            width, following, last_count = 9, FIRST, 0
            continue
        if last_count and following < CODES:
            place[following] = last
            length[following] = last_count + 1
            following += 1
            # The encoder widens its codes one entry early (TIFF 6.0, section 13), but for the oldest.
            if following >= (1 << width) - (not reverse) and width < 12:
                width += 1
        if code < CLEAR:
            out[written] = <uint8_t> code
            count = 1
        elif code < following:
            start, count = place[code], length[code]
            if count > room - written:
                count = room - written
            # Byte by byte: the newest string overlaps what it writes.
            for i in range(count):
                out[written + i] = out[start + i]
        else:
            return -1
        last, last_count = written, count
        written += count
    return written


def decode(const uint8_t[::1] data not None, uint8_t[::1] out not None, bint reverse=False):
    """Decode `data` into `out` and return how many bytes were written; -1 for a code that means nothing.

    ``reverse`` is the order of bits before TIFF 5.0.
    """
    cdef Py_ssize_t written = 0
    if data.shape[0] and out.shape[0]:
        with nogil:
            written = decode_into(&data[0], data.shape[0], &out[0], out.shape[0], reverse)
    return written
