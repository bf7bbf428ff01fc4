"""Rules of the dbt project, held against its manifest: nothing here needs a database.

Belongs here: layering, naming, documentation, contracts, and agreement with the source contract. Does not belong here: what models compute.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

from dagster_project.contracts.loading import load_contracts
from dagster_project.marts.bearing import bearings_of, condition
from dagster_project.marts.explanation import explainable_marts
from dagster_project.marts.lineage import Group, read_project
from dagster_project.marts.plan import make_plan
from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.settings import DBT_PROJECT
from tests import further_system
from tests.dbt_manifest import Manifest, Node, behind, data_tests_of, marts_of, models_of, source_tables

BATCH_COLUMNS = {"_batch_id", "_synced_at", "_deleted_at", "_moved_from", "_quarantined_at"}

# Executions of a system, or of one kind of them.
EXECUTIONS = re.compile(r"int_(\w+?)__(?:[a-z]+_)?executions")
PREFIXES = {"staging": "stg_", "intermediate": "int_"}


def parse(project: Path, work: Path) -> tuple[dbtRunnerResult, Path]:
    """Parse a project; what its macros say of arguments that they do not have is an error. Gives the manifest's place too."""
    folders = ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(work), "--log-path", str(work)]
    result = dbtRunner().invoke(["parse", *folders, "--quiet", "--warn-error-options", '{"error": ["InvalidMacroAnnotation"]}'])
    return result, work / "manifest.json"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifest, parsed without a database."""
    result, path = parse(DBT_PROJECT, tmp_path_factory.mktemp("dbt"))
    assert result.success, result.exception
    parsed: Manifest = json.loads(path.read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def models(manifest: Manifest) -> dict[str, Node]:
    """Models by name."""
    return models_of(manifest)


def layer(model: Node) -> str:
    return str(Path(model["path"]).parts[0])


def raw_tables_read(manifest: Manifest, name: str) -> set[str]:
    """The raw tables, `<system>.<table>`, that a model reads, through whatever models."""
    return {f"{system}.{table}" for system, table in source_tables(manifest, behind(manifest, [name]))}


def keys_of_raw(manifest: Manifest, model: Node) -> list[tuple[str, list[str]]]:
    """The raw tables whose primary key a model has by its tests, each with the columns of that key."""
    tests = [test["kwargs"] for test in data_tests_of(manifest, model) if test["name"] == "keyed_as_raw"]
    return [(test["raw"], test["columns"]) for test in tests]


def _is_table(model: Node) -> bool:
    return bool(model["config"]["materialized"] == "mart")


def _unites(model: Node) -> bool:
    return "grain" in model["config"]["meta"]


def test_schemas_come_out_exactly(models: dict[str, Node]) -> None:
    schemas = {(layer(model), model["schema"]) for model in models.values()}
    assert schemas == {("staging", "staging"), ("intermediate", "staging"), ("intermediate", "kept"), ("marts", "analytics")}


def misplaced(models: dict[str, Node]) -> list[str]:
    """Models in no folder of a system nor of what systems share, and those that are described in another file than one of their own."""
    folders = {*load_contracts(), "shared"}
    return [
        name
        for name, model in models.items()
        if Path(model["path"]).parts[1] not in folders
        or model["patch_path"] != f"runmart://{Path(model['original_file_path']).with_suffix('.yml')}"
    ]


def test_every_model_has_its_folder_and_a_file_of_its_own(models: dict[str, Node]) -> None:
    assert misplaced(models) == []


def test_a_model_without_a_folder_or_a_file_of_its_own_is_seen(models: dict[str, Node]) -> None:
    moved = {**models["fct_runs"], "path": "marts/fct_runs.sql"}
    together = {**models["dim_date"], "patch_path": models["fct_runs"]["patch_path"]}
    assert misplaced({"moved": moved, "together": together, "refreshes": models["refreshes"]}) == ["moved", "together"]


def test_unit_tests_stand_with_their_model(manifest: Manifest, models: dict[str, Node]) -> None:
    tests = manifest["unit_tests"].values()
    assert tests
    assert [test["name"] for test in tests if not models[test["model"]]["patch_path"].endswith(test["original_file_path"])] == []


def test_names_carry_the_prefix_of_their_layer(models: dict[str, Node]) -> None:
    assert [name for name, model in models.items() if not name.startswith(PREFIXES.get(layer(model), ""))] == []
    assert [name for name, model in models.items() if layer(model) == "marts" and name.startswith(tuple(PREFIXES.values()))] == []


def test_everything_is_described(manifest: Manifest, models: dict[str, Node]) -> None:
    described = [*models.values(), *manifest["sources"].values()]
    undescribed = [node["name"] for node in described if not node["description"]]
    undescribed += [f"{node['name']}.{name}" for node in described for name, column in node["columns"].items() if not column["description"]]
    assert undescribed == []
    assert [node["name"] for node in described if not node["columns"]] == []


def without_a_grain(models: dict[str, Node]) -> list[str]:
    """Marts whose description does not begin with what a row is."""
    return [name for name, model in models.items() if layer(model) == "marts" and not model["description"].startswith("One row per ")]


def test_marts_say_first_what_a_row_is(models: dict[str, Node]) -> None:
    assert without_a_grain(models) == []


def test_a_mart_that_does_not_say_what_a_row_is_is_seen(models: dict[str, Node]) -> None:
    assert without_a_grain({"fct_runs": {**models["fct_runs"], "description": "What ran."}, "dim_date": models["dim_date"]}) == ["fct_runs"]


def test_every_macro_is_described(manifest: Manifest) -> None:
    """Dbt itself holds names and types of arguments against the macros (`validate_macro_args`)."""
    macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == "runmart"]
    assert macros
    assert [macro["name"] for macro in macros if not macro["description"].strip()] == []
    arguments = [(macro["name"], argument) for macro in macros for argument in macro["arguments"]]
    assert [(name, argument["name"]) for name, argument in arguments if not argument["type"] or not argument["description"]] == []


@pytest.mark.parametrize(
    ("said", "is_said_instead"),
    [
        ("- name: source_relation", "- name: relation"),
        ("type: relation", "type: a table"),
        ("- name: source_relation", "- name: source_relation\n      - name: another"),
    ],
)
def test_a_macro_that_is_described_wrongly_is_seen(tmp_path: Path, said: str, is_said_instead: str) -> None:
    for part in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(DBT_PROJECT / part, tmp_path)
    shutil.copytree(DBT_PROJECT / "macros", tmp_path / "macros")
    described = tmp_path / "macros" / "live_rows.yml"
    text = described.read_text(encoding="utf-8")
    assert text.count(said) == 1
    described.write_text(text.replace(said, is_said_instead), encoding="utf-8")
    result, _ = parse(tmp_path, tmp_path / "target")
    assert "live_rows" in str(result.exception)


def test_every_test_is_described(manifest: Manifest) -> None:
    tests = [*(node for node in manifest["nodes"].values() if node["resource_type"] == "test"), *manifest["unit_tests"].values()]
    assert {test["resource_type"] for test in tests} == {"test", "unit_test"}
    assert [test["name"] for test in tests if not test["description"].strip().endswith(".")] == []


def test_marts_have_enforced_contracts(models: dict[str, Node]) -> None:
    marts = [model for model in models.values() if layer(model) == "marts" or _is_table(model)]
    assert [mart["name"] for mart in marts if not mart["config"]["contract"]["enforced"]] == []
    assert [f"{mart['name']}.{name}" for mart in marts for name, column in mart["columns"].items() if not column["data_type"]] == []


def test_marts_say_which_refresh_they_reflect(models: dict[str, Node]) -> None:
    """All but what keeps or renames the rows of another mart."""
    tables = [model for name, model in models.items() if layer(model) == "marts" and (_is_table(model) or _unites(model))]
    assert [mart["name"] for mart in tables if not {"refreshed_at", "source_batch_id"} <= set(mart["columns"])] == []


def test_histories_have_the_columns_of_their_mart(models: dict[str, Node]) -> None:
    histories = [model for model in models.values() if model["config"]["materialized"] == "mart_history"]
    assert histories
    for history in histories:
        mart = models[history["config"]["meta"]["history_of"]]
        types = [{name: column["data_type"] for name, column in model["columns"].items()} for model in (mart, history)]
        assert types[1] == {**types[0], "valid_from": "timestamptz", "valid_to": "timestamptz"}


def test_models_have_a_key_test(manifest: Manifest, models: dict[str, Node]) -> None:
    """All but staging of tables that have no key; a view that unites marts has theirs."""
    keyless = {
        f"stg_{system}__{name}" for system, contract in load_contracts().items() for name, table in contract.tables.items() if not table.key
    }
    keys = {"unique", "unique_grain", "keyed_as_raw"}
    tested = {name for name, model in models.items() if keys & {test["name"] for test in data_tests_of(manifest, model)}}
    united = {name for name, model in models.items() if _unites(model) and {parent["name"] for parent in model["refs"]} <= tested}
    assert {*models} - keyless == tested | united


def test_rows_of_marts_can_be_explained(manifest: Manifest) -> None:
    """All but those of no system, what keeps the rows of another one, and what is recomputed whole, such as the calendar."""
    plan, marts = make_plan(read_project(manifest), load_contracts()), marts_of(manifest)
    whole = {name for name, mart in marts.items() if mart["config"]["meta"].get("group") == "whole"}
    systems = load_contracts().keys()
    of_no_system = {name for name in marts if systems.isdisjoint(table.partition(".")[0] for table in raw_tables_read(manifest, name))}
    assert {*marts} - {*explainable_marts(plan)} == whole | of_no_system | {*marts_of(manifest, "mart_history")}


def test_rows_bear_on_every_column_of_a_mart(manifest: Manifest) -> None:
    plan = make_plan(read_project(manifest), load_contracts())
    for mart in explainable_marts(plan):
        bearings = bearings_of(plan.project, mart)
        read = {(system, table) for system, _, table in (name.partition(".") for name in raw_tables_read(manifest, mart))}
        for column in {*plan.project.models[mart].columns}.difference(OF_THE_REFRESH):
            assert [table for table in read if condition(bearings.get(table), [column])] != [], (mart, column)


def test_marts_with_formulas_have_unit_tests(manifest: Manifest, models: dict[str, Node]) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    tables = {name for name, model in models.items() if model["config"]["materialized"] == "mart"}
    assert tables - tested == set()


def test_staging_reads_sources_one_table_each_and_only_live_rows(models: dict[str, Node]) -> None:
    for name, model in models.items():
        if layer(model) == "staging":
            assert len(model["sources"]) == 1, name
            assert model["refs"] == [], name
            assert model["sources"][0][0] in ("ops", "quality") or "live_rows(source(" in model["raw_code"], name


def test_sources_are_read_by_staging_only(models: dict[str, Node]) -> None:
    """A published view is an exception: it must not depend on staging, which is made anew when the project changes."""
    for name, model in models.items():
        if layer(model) != "staging" and model["sources"]:
            assert model["config"]["materialized"] == "mart_view", name


def test_marts_have_the_columns_that_name_their_groups(manifest: Manifest) -> None:
    plan = make_plan(read_project(manifest), load_contracts())
    assert plan.marts
    for mart in plan.marts:
        assert mart.is_whole != bool(plan.group_columns(mart.name)), mart.name
        assert set(plan.group_columns(mart.name)) <= set(mart.columns), mart.name


def test_staging_has_one_shape(models: dict[str, Node]) -> None:
    shape = re.compile(
        r"with source as \(.+?\),\n\nrenamed as \(\n\n    select\n        -- ids\n.+?\n    from source\n\n\)\n\nselect \* from renamed$",
        re.S,
    )
    assert [name for name, model in models.items() if layer(model) == "staging" and not shape.match(model["raw_code"].strip())] == []


@pytest.mark.parametrize("system", sorted(load_contracts()))
def test_contract_sources_and_staging_agree(manifest: Manifest, models: dict[str, Node], system: str) -> None:
    contract = load_contracts()[system]
    sources = {node["name"]: node for node in manifest["sources"].values() if node["source_name"] == system}
    assert set(sources) == set(contract.tables)
    assert {name for name in models if name.startswith(f"stg_{system}__")} == {f"stg_{system}__{table}" for table in contract.tables}
    for table, declared in contract.tables.items():
        assert sources[table]["schema"] == contract.raw_schema
        assert set(sources[table]["columns"]) == {*declared.columns, *BATCH_COLUMNS}
        model = models[f"stg_{system}__{table}"]
        selected = selected_columns(model["raw_code"])
        assert set(selected) == {*declared.columns, "_batch_id", "_synced_at"}
        assert list(selected.values()) == list(model["columns"])
        assert keys_of_raw(manifest, model) == [(f"source('{system}', '{table}')", list(declared.key))] * bool(declared.key)


@pytest.mark.parametrize("system", sorted(load_contracts()))
def test_freshness_is_that_of_the_contract(manifest: Manifest, system: str) -> None:
    freshness = load_contracts()[system].freshness
    for node in manifest["sources"].values():
        if node["source_name"] == system:
            assert node["freshness"]["warn_after"] == {"count": freshness.warn_after_hours, "period": "hour"}
            assert node["freshness"]["error_after"] == {"count": freshness.error_after_hours, "period": "hour"}
            assert "ops.table_syncs" in node["loaded_at_query"]


def test_fct_runs_holds_every_system_that_brings_its_executions(manifest: Manifest, models: dict[str, Node]) -> None:
    unites = {name.removeprefix("model.runmart.") for name in models["fct_runs"]["depends_on"]["nodes"]}
    named = {name: found[1] for name in models if (found := EXECUTIONS.fullmatch(name))}
    assert {*named} == unites
    families = make_plan(read_project(manifest), load_contracts()).families_behind("fct_runs")
    assert sorted(family.group.system for family in families) == sorted(named.values())


def not_touched_by_time(manifest: Manifest) -> list[str]:
    """Systems with executions that run, of which no rule says when time alone makes zombies."""
    plan = make_plan(read_project(manifest), load_contracts())
    running = {name for name, model in models_of(manifest).items() if "'running'" in model["raw_code"]}
    united = [plan.project.models[name] for name in plan.project.united("fct_runs")]
    return [model.group.system for model in united if isinstance(model.group, Group) and model.name in running and not model.touched_by]


def test_time_alone_makes_zombies_of_executions_of_every_system(manifest: Manifest) -> None:
    assert not_touched_by_time(manifest) == []


def test_executions_without_a_rule_of_time_are_seen(manifest: Manifest) -> None:
    changed: Manifest = json.loads(json.dumps(manifest))
    models_of(changed)["int_forecast_tracking__executions"]["config"]["meta"]["touched_by"] = []
    assert not_touched_by_time(changed) == ["forecast_tracking"]


def test_fct_runs_unites_a_further_system_by_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where dbt has parsed the project before, if it is told that files have changed, as Runmart tells it."""
    brought = {f"model.runmart.int_{further_system.SYSTEM}__executions"}

    def read_of_brought() -> set[str]:
        result, path = parse(project, tmp_path / "target")
        assert result.success, result.exception
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        return brought.intersection(nodes["model.runmart.fct_runs"]["depends_on"]["nodes"])

    project = further_system.copy_project(tmp_path / "project")
    monkeypatch.setenv("RUNMART_DEFINITION", "before")
    assert read_of_brought() == set()
    further_system.bring_executions(project)
    monkeypatch.setenv("RUNMART_DEFINITION", "after")
    assert read_of_brought() == brought
    shutil.rmtree(tmp_path / "target")
    assert read_of_brought() == brought


def selected_columns(code: str) -> dict[str, str]:
    """Staged name by source column of the `renamed` CTE."""
    renamed = code.partition("renamed as (")[2].partition("from source")[0]
    # A name that is no plain word is quoted by the adapter, and a json column is read through a macro.
    plain_code = re.sub(r"""\{\{ (?:json_or_null|adapter\.quote)\((?:adapter\.quote\()?["'](.+?)["']\)+ \}\}""", r'"\1"', renamed)
    pairs = re.findall(r"^        (?:\"([^\"]+)\"|(\w+))(?: as (\w+))?,?$", plain_code, re.MULTILINE)
    return {quoted or plain: name or quoted or plain for quoted, plain, name in pairs}
