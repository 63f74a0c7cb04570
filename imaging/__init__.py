"""Bytes to pixels: an upload in, a square for a network out.

    read.py     bytes -> an upright RGB photo in sRGB, bounded, refusing in plain words
    guard.py    what a file may ask of a decoder beyond its pixels
    colour.py   whatever a decoder gave -> 8-bit RGB in sRGB, on white
    fit.py      photo -> (size, size, 3) uint8: crop or stretch
    draw.py     names, bars and percentages written on a photo
    fonts.py    which of the machine's fonts can write them
    heatmap.py  where a network looked, laid on the photo in colours
    write.py    photo -> JPEG or PNG bytes without metadata

Nothing here knows of networks beyond a size, and nothing is kept between two photos but a few
colour transforms and where fonts are.
"""
