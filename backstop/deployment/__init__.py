"""What a deployment is meant to be (plan, hard bounds), and how far one has got (journal). Nothing here sends."""
