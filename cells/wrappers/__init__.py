"""Cells that wrap another cell, which the option `cell` names.

`create("zoneout", 64, cell="gru", rate=0.1)` in Python, `--cell zoneout --cell-option cell=gru` on
the command line. Options that all cells have are passed on to the inner cell; those specific to it
go in `cell_options`. `cell` can also be a cell object, so wrappers can be nested:
`create("residual", 64, cell=create("layer-norm", 64, cell="lstm"))`. `zoneout` and `weight-drop`,
which draw masks in training, must be outermost, and `weight-drop` wraps no other wrapper. An
incompatible cell raises an error.
"""
