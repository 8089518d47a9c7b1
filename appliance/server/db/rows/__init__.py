"""The types of rows, one noun a file.

`<Noun>Row` and its like are what readers and locks answer: result rows under their true types, given by `cast` at no cost. `New<Noun>`
is a row to insert, `<Noun>Columns` is what an update may set.
"""
