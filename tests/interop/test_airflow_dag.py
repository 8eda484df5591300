"""Airflow itself reads the DAG, and retries as the exit codes say; it runs where Airflow 3 is installed.

Airflow holds so many packages to its own versions that it can't share an environment with the other tools:
``uv pip install "apache-airflow>=3"`` in one of its own, then pytest on this file.
"""

from __future__ import annotations

import pytest

from harnesslib.schedules import airflow_dag, schedule

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def names(tmp_path, monkeypatch) -> dict[str, object]:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    pytest.importorskip("airflow", reason="airflow is not installed, and has an environment of its own")
    found: dict[str, object] = {}
    source = airflow_dag(schedule("nightly", "/usr/bin/python3", "/srv/shop.sh", "3:00", 0))
    exec(compile(source, "dag.py", "exec"), found)  # noqa: S102 - what was just written
    return found


def test_airflow_reads_the_dag(names):
    dag = names["dag"]
    [task] = dag.tasks
    assert ("nightly", False, 1) == (dag.dag_id, dag.catchup, dag.max_active_runs)
    assert (2, "/usr/bin/python3 -P -m harnesslib cycle --quiet -w /srv/shop.sh ") == (
        task.retries,
        task.bash_command,
    )


@pytest.mark.parametrize(("code", "expected"), [(4, "AirflowFailException"), (75, "AirflowException")])
def test_airflow_retries_only_what_another_try_can_help(names, code, expected):
    operator = names["CycleOperator"](task_id="cycle", bash_command=f"exit {code} ", skip_on_exit_code=None)
    from airflow.exceptions import AirflowException

    with pytest.raises(AirflowException) as caught:
        operator.execute({})
    assert expected == type(caught.value).__name__
