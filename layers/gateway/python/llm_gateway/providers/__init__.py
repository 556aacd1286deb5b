"""The vendors: one module each, all behind the `Provider` port."""
