"""Claims with their evidence as one file: packed from a record, measured again and compared on another machine."""
