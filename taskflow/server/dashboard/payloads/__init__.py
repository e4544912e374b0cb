"""Forms for JSON: a document, the fields that its JSON Schema asks for, and the faults of both. No storage."""
