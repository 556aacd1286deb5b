"""The stores: one contract per port, held by the fake and by AWS alike."""
