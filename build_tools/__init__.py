"""Builds ``lrcn_fast/_C``: finds the tools, holds the flags, and drives ninja."""
