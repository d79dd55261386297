"""A study directory as one page to read, show and print: report.html."""

from slm_jax.study.report.page import write_report

__all__ = ["write_report"]
