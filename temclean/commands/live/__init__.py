"""While the microscope runs: files as they land, raw frames in a pipe, and what is seen of them.

``landing`` tells which files of a folder are finished, with what lies beside them, ``journal`` keeps on
disk which are done, ``growing`` follows stacks that are still being written, ``watch`` is the loop that hands all of
them to :mod:`temclean.commands.batch`, and ``view`` shows the latest on a page. ``raw`` takes frames from stdin.
"""
