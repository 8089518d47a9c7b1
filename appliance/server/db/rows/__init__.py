"""The types of rows, one noun a file.

`<Noun>Row` and the like are what readers and locks return: result rows with types, by `cast` and at no cost. `New<Noun>` is a row to
insert, and `<Noun>Columns` are the columns that an update may set.
"""
