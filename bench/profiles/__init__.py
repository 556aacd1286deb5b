"""Where the interpreter's time goes, by sampling processes that run as they always do."""
