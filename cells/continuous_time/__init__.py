"""Cells that take the time since the previous step as an input, for irregularly sampled series.

Call the layer with a pair, `Recurrent(CfCCell(32))((x, elapsed))`: `elapsed`, of shape
(batch, time), is the time since the previous step, in any unit.
"""
