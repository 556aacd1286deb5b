"""Values and pure rules. They depend neither on how a request comes in nor on where data is stored."""
