"""What is wrong with whole rows and columns: ``lost`` mends lines of one value, ``stripes`` takes stripes off."""
