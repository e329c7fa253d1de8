"""A return type that asks the C compiler for run-time dispatch (see dispatch.h)."""

cdef extern from "dispatch.h":
    ctypedef void cloned_void "TEMCLEAN_CLONES void"
