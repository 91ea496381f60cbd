"""The view of one deployment that `backstop watch` keeps on a terminal: docs/watch.md."""
