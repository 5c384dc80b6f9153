"""The gated recurrent unit and its relatives."""
