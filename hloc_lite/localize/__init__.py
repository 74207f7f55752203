"""The Localizer: puts the stages together for a query."""
