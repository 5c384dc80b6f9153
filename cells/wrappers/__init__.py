"""Cells around another cell, which is named by `cell`.

`create("zoneout", 64, cell="gru", rate=0.1)` in Python, `--cell zoneout --cell-option cell=gru` on
the command line. Options that all cells have go to the inner cell; its own options stand in
`cell_options`. A cell that was made before is taken as well, so that wrappers nest:
`create("residual", 64, cell=create("layer-norm", 64, cell="lstm"))`. `zoneout` and `weight-drop`,
which draw masks in training, are outermost. A cell that does not fit is refused.
"""
