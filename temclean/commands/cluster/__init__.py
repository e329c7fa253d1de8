"""Denoise on a cluster of Dask: this machine settles what is to be done, others do it; paths travel, pixels do not.

``connection`` finds the scheduler and looks its workers over, ``work`` is what a worker does, ``tasks`` are the inputs
that workers are at, ``unfinished`` is a result that they fill from all sides, with a journal of what is there, and
``running`` hands the work out.
"""
