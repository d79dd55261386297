"""Planning a grid for compute budgets, running it, collecting it, and the report."""

from slm_jax.study.budgets import isoflop_config, isoflop_grid, machine_for
from slm_jax.study.config import StudyConfig, default_study, parse_study
from slm_jax.study.plan import format_plan, plan_budget, plan_grid
from slm_jax.study.report import write_report
from slm_jax.study.runner import run_study
from slm_jax.study.tables import TablesConfig, default_tables

__all__ = [
    "StudyConfig",
    "TablesConfig",
    "default_study",
    "default_tables",
    "format_plan",
    "isoflop_config",
    "isoflop_grid",
    "machine_for",
    "parse_study",
    "plan_budget",
    "plan_grid",
    "run_study",
    "write_report",
]
