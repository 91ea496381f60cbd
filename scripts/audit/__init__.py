"""The evidence for an auditor: `make audit`."""
