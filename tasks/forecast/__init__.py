"""The `forecast` template: from the history of a series to all steps of a horizon."""
