"""The two questions answered from records: speed-ups at full depth -> sentences, tables, figure -> one page."""
