"""One module for each file format; :mod:`temclean.io` is the door to them."""
