"""Commands of ``python -m lrcn_fast`` that run models."""
