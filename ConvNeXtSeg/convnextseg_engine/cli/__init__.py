"""The command ``convnextseg``, one file a subcommand."""
