"""Planning a grid for compute budgets, running it, collecting it, and the report."""

from slm_jax.study.budgets import isoflop_config, isoflop_grid, machine_for
from slm_jax.study.config import StudyConfig, default_study, parse_study
from slm_jax.study.grid import ArmData, PlannedRun, plan_grid
from slm_jax.study.plan import format_plan, plan_budget
from slm_jax.study.report import write_report
from slm_jax.study.runner import Study, open_study, run_study
from slm_jax.study.status import format_status, study_status
from slm_jax.study.tables import TablesConfig, default_tables

__all__ = [
    "ArmData",
    "PlannedRun",
    "Study",
    "StudyConfig",
    "TablesConfig",
    "default_study",
    "default_tables",
    "format_plan",
    "format_status",
    "isoflop_config",
    "isoflop_grid",
    "machine_for",
    "open_study",
    "parse_study",
    "plan_budget",
    "plan_grid",
    "run_study",
    "study_status",
    "write_report",
]
