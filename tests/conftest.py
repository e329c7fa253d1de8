"""What all tests share."""

from hypothesis import settings

settings.register_profile("temclean", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("temclean")
