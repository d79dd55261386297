"""The forms a law of the loss may take; a new one is a file here."""

from slm_jax.scaling.forms.compute_floor import COMPUTE_FLOOR
from slm_jax.scaling.forms.data_constrained import DATA_CONSTRAINED
from slm_jax.scaling.forms.form import Form
from slm_jax.scaling.forms.kaplan import KAPLAN
from slm_jax.scaling.forms.plain import PLAIN, law_loss

FORMS = {form.name: form for form in (PLAIN, DATA_CONSTRAINED, KAPLAN)}  # of N and D

__all__ = ["COMPUTE_FLOOR", "DATA_CONSTRAINED", "FORMS", "KAPLAN", "PLAIN", "Form", "law_loss"]
