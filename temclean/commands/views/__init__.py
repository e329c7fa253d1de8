"""Results to be looked at: pictures of them beside the raw images, and a page about a whole batch.

``seen`` looks at finished results one by one: ``pair`` reads a frame of the raw image and of its result, ``greys``
makes small pictures of large frames, ``scale_bar`` says how long a bar is and draws it, ``letters`` writes beside it,
``preview`` puts both pictures into one, and ``sheet`` those of all models. ``report`` collects ``plates``, the pictures
of a page, and ``facts``, what it says with ``curves`` and ``verdicts``; ``page`` makes HTML of it, with ``page.css``
and ``page.js``.
"""
