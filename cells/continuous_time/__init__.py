"""Cells that are told how much time has passed since the step before: for irregular samples.

Call the layer with a pair, `Recurrent(CfCCell(32))((x, elapsed))`: elapsed, (batch, time), is the
time since the step before.
"""
