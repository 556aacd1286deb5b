"""Context that fits: what of the texts that a query hands over is sent to a model, in which order, and between which marks."""
