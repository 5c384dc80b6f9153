"""Cells that wrap another cell, given by `cell`.

`create("zoneout", 64, cell="gru", rate=0.1)` in Python, `--cell zoneout --cell-option cell=gru` on
the command line. Options common to all cells are passed on to the inner cell; its own options go in
`cell_options`. `cell` can also be a cell object, so wrappers can be nested:
`create("residual", 64, cell=create("layer-norm", 64, cell="lstm"))`. `zoneout` and `weight-drop`,
which draw masks in training, must be outermost. An incompatible cell is an error.
"""
