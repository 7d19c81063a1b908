"""Reports of checks: in words, as tables, pictures and pages."""
