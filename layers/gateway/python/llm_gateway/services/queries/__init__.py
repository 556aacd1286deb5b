"""The life of a query: asked, answered, read, cancelled and erased.

A query goes from `asking` through `planning` (who may be asked), `booking` (what it takes before), `dispatch` and `calls` (the
providers) to `closing`, the one way in which it ends; `worker` takes a queued one the same way, and `reading` shows what is
stored. docs/architecture.md has the picture, docs/queries.md the promises.
"""
