"""Command line: one file per verb, which parses, loads the config, calls the library, prints."""
