"""Cells around another cell, of any name that fits: `create("zoneout", 64, cell="lstm")`."""
