"""Tables and figures of studies: one file per question, drawn from the study's own JSON."""
