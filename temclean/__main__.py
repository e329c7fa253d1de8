"""Run the command line as ``python -m temclean``."""

from temclean.cli import main

main()
