"""Stateless API of every operator: checks the arguments, chooses a backend, calls the operator."""

from lrcn_fast.functional.lstm import lstm, lstm_cell

__all__ = ["lstm", "lstm_cell"]
