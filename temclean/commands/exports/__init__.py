"""What other programs take from temclean: ``scripts`` that call it, and its models as packages of ``bioimageio``."""
