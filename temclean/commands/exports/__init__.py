"""What other programs take from temclean: ``scripts`` that call it."""
