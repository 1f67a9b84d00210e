"""What a person sees: one file and one ``.ui`` per section."""
