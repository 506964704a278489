//! Journals on disk: whole, torn, spoiled, foreign, read-only.
