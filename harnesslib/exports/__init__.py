"""What was measured, in the forms that other tools read: pure writers, each from records to a document."""
