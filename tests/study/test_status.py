"""What `slm study status` says of runs that are done, at work, failed and waiting."""

import json

import pytest
from planned import begin, finish, jobs_of, planned

from slm_jax.study import format_status, study_status
from slm_jax.study.holding import RunLock
from slm_jax.study.jobs import work_of
from slm_jax.study.status import format_progress, minutes_left


def held(jobs, number: int):
    return RunLock(jobs.folder, jobs.runs[number].name).locked()


def write_metrics(jobs, name: str, steps: list[int], end: str = "\n") -> None:
    path = jobs.folder.run(name) / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps({"step": step, "loss": 3.0}) for step in steps) + end)


@pytest.fixture
def jobs(tmp_path):
    """Of 100 updates each: one done, one half way, one failed, a branch a quarter of its way, one waiting."""
    runs = [planned(name, tokens=6000) for name in ("done", "half", "failed")]
    runs += [planned("branch", tokens=6000, trunk="done", shared_steps=60), planned("waiting", tokens=6000)]
    jobs = jobs_of(tmp_path, runs)
    finish(jobs.folder, runs[0], speed=100.0, seconds=90.0)  # 60 s of updates and 30 beside
    write_metrics(jobs, "half", [25, 50], end='\n{"step": 60, "lo')  # of a line that is being written
    write_metrics(jobs, "failed", [10])
    jobs.fail(runs[2], "the loss is nan at step 11")
    write_metrics(jobs, "branch", [60, 70])
    return jobs


def test_every_run_has_a_state_and_a_share(jobs):
    with held(jobs, 1):
        found = {status.run.name: (status.state, status.share) for status in study_status(jobs)}
    assert found == {
        "done": ("done", 1.0),
        "half": ("running", 0.5),
        "failed": ("failed", 0.1),
        "branch": ("waiting", 0.25),
        "waiting": ("waiting", 0.0),
    }


def test_time_left_is_that_of_the_updates_and_what_comes_beside(jobs):
    statuses = study_status(jobs)
    # 60 s for a whole run's updates: half of one, three quarters of 40 updates, one whole; 30 s beside each.
    assert work_of(jobs.runs[3]) == pytest.approx(0.4 * work_of(jobs.runs[4]))
    assert minutes_left(jobs, statuses) == pytest.approx((30 + 18 + 60 + 3 * 30) / 60)
    with held(jobs, 1), held(jobs, 4):
        assert minutes_left(jobs, study_status(jobs)) == pytest.approx(198 / 2 / 60)
    (jobs.folder.run("done") / "summary.json").unlink()
    assert minutes_left(jobs, study_status(jobs)) is None


def test_a_run_without_a_time_says_nothing_of_what_comes_beside(tmp_path):
    jobs = jobs_of(tmp_path, [planned(name, tokens=6000) for name in ("timed", "one", "two", "left")])
    for run in jobs.runs[:3]:
        finish(jobs.folder, run, speed=100.0, seconds=90.0)
    for name in ("one", "two"):
        jobs.folder.times(name).unlink()
    assert minutes_left(jobs, study_status(jobs)) == pytest.approx((60 + 30) / 60)


@pytest.mark.parametrize(("shared_steps", "branch_seconds"), [(60, 24), (0, 60)])
def test_updates_are_shared_where_the_run_says_so(tmp_path, shared_steps, branch_seconds):
    """A branch of a trunk that failed was made alone, in the time of all its updates."""
    runs = [planned("branch", tokens=6000, trunk="trunk", shared_steps=60), planned("left", tokens=6000)]
    jobs = jobs_of(tmp_path, runs)
    finish(jobs.folder, runs[0], speed=100.0, seconds=branch_seconds + 30.0, shared_steps=shared_steps)
    assert minutes_left(jobs, study_status(jobs)) == pytest.approx((60 + 30) / 60)


def test_the_share_of_a_branch_that_is_made_alone_is_of_all_updates(jobs):
    begin(jobs.folder, jobs.runs[3])
    write_metrics(jobs, "branch", [25, 50])
    assert study_status(jobs)[3].share == 0.5


def test_it_is_read_by_people(jobs):
    lines = format_status(jobs).splitlines()
    assert lines[2].split(maxsplit=3) == ["failed", "failed", "10%", "the loss is nan at step 11"]
    assert lines[-1] == "1 of 5 runs done, 3 waiting, 1 failed, about 3 min left"
    assert "minimal pairs 0.500" in format_progress(jobs, jobs.runs[0])
    assert format_progress(jobs, jobs.runs[2]) == "  failed failed: the loss is nan at step 11"
