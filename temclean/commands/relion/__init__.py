"""RELION's External jobs: ``job`` does one, ``star`` finds its micrographs in a file, ``markers`` tells its end."""
