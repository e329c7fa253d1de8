"""While the microscope runs: files as they land, and what is seen of them.

``landing`` tells which files of a folder are finished, ``journal`` keeps on disk which are done, ``growing`` follows
stacks that are still being written, and ``watch`` is the loop that hands all of them to :mod:`temclean.commands.batch`.
"""
