"""Cells that take the time since the previous step as an input: for irregular samples.

Call the layer with a pair, `Recurrent(CfCCell(32))((x, elapsed))`: elapsed, (batch, time), is the
time since the step before.
"""
