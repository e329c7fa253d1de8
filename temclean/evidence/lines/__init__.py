"""What is wrong with whole rows and columns: ``lost`` mends lost lines, ``stripes`` takes stripes off."""
