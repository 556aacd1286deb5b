"""The form that an answer must have: JSON, and a schema that it is held against."""
