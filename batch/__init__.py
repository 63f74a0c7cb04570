"""Very many photos to Parquet: by threads on this machine, by Ray's actors on a cluster.

    command.py  the command line
    photos.py   what is named on the command line -> photos, one after the other
    rows.py     THE one function: a photo's bytes -> its row
    answers.py  the folder of rows: whole parts only, and what they hold already
    threads.py  photos -> rows on this machine's cores
    on_ray.py   the same on a cluster
    alike.py    the nearest photos by features, and groups of nearly the same photo
    sheet.py    photos with a line each, as PNG and as one HTML file

Answers are those of /predict, row for row. Nothing here knows HTTP.
"""
