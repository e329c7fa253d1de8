"""What the commands do with files: :mod:`temclean.cli` parses and calls, these modules do it.

``inputs`` finds files in ``folders``, ``jobs`` says where their results go, ``opening`` opens one of them,
``frame_queue`` hands its frames from one thread to another, ``batch`` denoises them with the models of ``sessions`` and
keeps ``records``, ``cluster`` has others do it, ``progress`` reports on it, ``views`` makes pictures of it, and
``live`` does it while the microscope runs; ``manifest`` and
``simulate`` make pairs, ``scoring`` compares them, ``inspection`` looks into files, ``measuring`` takes figures off
images, ``doctor`` examines the installation, ``exports`` has what other programs take, ``tables`` prints what these
find, and ``lines`` what is safe on a terminal.
"""
