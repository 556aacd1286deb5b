"""Values and pure rules: what the gateway knows, whoever asks and wherever it is kept."""
