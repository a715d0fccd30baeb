"""`make chat`: a language model answers on the RTL, and every pass is judged."""
