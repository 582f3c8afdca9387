"""The HTML report: one static page of records, baselines, comparisons and front documents, that opens from disk."""
