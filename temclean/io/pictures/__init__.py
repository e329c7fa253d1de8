"""What scanning electron microscopes export beside their own files: pictures that Pillow decodes, and notes on them.

``jpeg_bmp`` reads JPEG and BMP, ``frames`` decodes their pixels and PNG's, and ``beside`` reads the text file that JEOL
and Hitachi write beside a picture, from which its scale is taken, in TIFF too.
"""
