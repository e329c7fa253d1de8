"""Results to be looked at: pictures of them beside the raw images.

``seen`` looks at finished results one by one: ``pair`` reads a frame of the raw image and of its result, ``greys``
makes small pictures of large frames, ``scale_bar`` says how long a bar is and draws it, ``preview`` puts both pictures
into one.
"""
