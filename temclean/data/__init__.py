"""Small data files that ship with temclean."""
