"""Measurements for people: tables, sheets, plots, model card and report."""
