"""The command line: one file per verb, each parse -> config -> one library call -> print."""
