"""Files that rows name, in a real folder and on a real S3 server, held against the rows: each problem is found, and seen to be gone."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.places import PROJECT_ROOT
from dagster_project.quality.storage import Storage, StorageError
from dagster_project.quality.stored_files import CHECK, Found, check_files
from dagster_project.warehouse import Warehouse, of_tenants
from tests.databases import run
from tests.storages import S3, SECRET, Shelf, Watched, local_shelf, serving_s3, watch

CONTRACT = load_contracts()["llm_workflow"]
TABLE = CONTRACT.table("artifacts")
RUN = uuid.UUID(int=1)
FOLDER = f"storage/acme/{RUN}/draft"


class Tenant:
    """The database, the warehouse and the storage of one tenant.

    Attributes:
        warehouse: Its warehouse.
        shelf: Where its files are.
        storage: The same, as checks read it.
        watched: What they have looked at since the last check began.
    """

    def __init__(self, source: str, warehouse: Warehouse, shelf: Shelf) -> None:
        self.source, self.warehouse, self.shelf = source, warehouse, shelf
        self.storage = Storage.at(shelf.url)
        self.watched: Watched = watch(self.storage)
        run(source, "insert into runs (id, status) values (%s, 'running')", str(RUN))

    def write(self, name: str, content: bytes) -> None:
        """A step writes a file, and a row that names it."""
        self.shelf.put(f"{FOLDER}/{name}", content)
        self.name(f"{FOLDER}/{name}", content)

    def name(self, path: str, content: bytes) -> None:
        """A row names a file of this content, which there may be or not."""
        run(
            self.source,
            "insert into artifacts (run_id, step, file_type, file_path, digest, size_bytes) values (%s, 'draft', 'json', %s, %s, %s)",
            str(RUN), path, hashlib.sha256(content).hexdigest(), len(content),
        )  # fmt: skip

    def sync(self) -> None:
        """Bring raw up to date."""
        sync(CONTRACT, self.source, self.warehouse.url)

    def check(self, *, everything: bool = False) -> Found:
        """Check without a sync."""
        self.watched.forget()
        return check_files(self.warehouse, TABLE, self.storage, "a run", everything=everything)

    def synced_check(self) -> Found:
        """Sync and check."""
        self.sync()
        return self.check()

    @property
    def opened(self) -> list[str]:
        """Names of the files that the last check has opened, below the folder of the step."""
        return sorted(name.partition("/draft/")[2] for name in self.watched.opened)

    def in_warehouse(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse."""
        return run(self.warehouse.url, statement)

    def known(self) -> dict[str, str | None]:
        """By path, what quality.stored_files says."""
        return dict(
            self.in_warehouse(
                "select file_path, problem from quality.stored_files left join raw_llm_workflow.artifacts"
                " on key = jsonb_build_object('id', id) where system = 'llm_workflow' and table_name = 'artifacts'"
            )
        )

    def failing(self) -> list[tuple[str, str]]:
        """What the ledger says fails now: path and problem."""
        return self.in_warehouse(
            "select observed ->> 'file_path', observed ->> 'problem' from quality.failing_rows"
            f" where asset_key = 'llm_workflow/artifacts' and check_name = '{CHECK}' and resolved_at is null order by 1"
        )


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving_s3() as served:
        yield served


@pytest.fixture(params=["local", "s3"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "local":
        return local_shelf(tmp_path / "files")
    served: S3 = request.getfixturevalue("s3")
    return served.shelf()


def tenant_on(shelf: Shelf, new_database: Callable[[str], str], home: Path) -> Tenant:
    warehouse = Warehouse(new_database("warehouse"), home, of_tenants("llm_workflow"), tenant="acme")
    return Tenant(new_database("llm_workflow"), warehouse, shelf)


@pytest.fixture
def tenant(shelf: Shelf, new_database: Callable[[str], str], tmp_path: Path) -> Tenant:
    return tenant_on(shelf, new_database, tmp_path)


@pytest.fixture
def local_tenant(new_database: Callable[[str], str], tmp_path: Path) -> Tenant:
    return tenant_on(local_shelf(tmp_path / "files"), new_database, tmp_path)


def test_files_that_are_as_recorded_pass_and_none_of_them_is_kept(tenant: Tenant) -> None:
    tenant.write("output.json", b'{"text": "a body that nobody copies"}')
    tenant.write("artifacts/article.html", b"another body that nobody copies")
    tenant.write("artifacts/empty", b"")
    found = tenant.synced_check()
    assert (found.read, found.files, found.problems, found.sample) == (3, 3, {}, [])
    assert tenant.known() == dict.fromkeys(f"{FOLDER}/{name}" for name in ("output.json", "artifacts/article.html", "artifacts/empty"))
    assert tenant.failing() == []
    tables = tenant.in_warehouse(
        "select oid::regclass::text from pg_class where relkind in ('r', 'm') and relnamespace::regnamespace::text <> 'information_schema'"
        " and relnamespace::regnamespace::text not like 'pg\\_%'"
    )
    assert ("quality.stored_files",) in tables
    for (table,) in tables:
        assert tenant.in_warehouse(f"select 1 from {table} as t where t::text like '%body that nobody%'") == [], table


def test_missing_file_is_found_and_seen_to_be_there(tenant: Tenant) -> None:
    tenant.write("output.json", b"{}")
    tenant.name(f"{FOLDER}/late.json", b"late")
    assert tenant.synced_check().problems == {"missing": 1}
    assert tenant.failing() == [(f"{FOLDER}/late.json", "missing")]
    tenant.shelf.put(f"{FOLDER}/late.json", b"late")
    found = tenant.check()
    assert (found.read, found.failing) == (1, 0)
    assert tenant.opened == ["late.json"]
    assert tenant.failing() == []
    assert tenant.in_warehouse("select check_name, resolved_at is not null from quality.failing_rows") == [(CHECK, True)]


def test_wrong_digest_is_found_and_seen_to_be_mended(tenant: Tenant) -> None:
    tenant.write("output.json", b"right")
    tenant.shelf.put(f"{FOLDER}/output.json", b"wrong")
    found = tenant.synced_check()
    assert found.problems == {"digest": 1}
    ((identity,),) = tenant.in_warehouse("select id from raw_llm_workflow.artifacts")
    assert found.sample == [{"id": identity, "file_path": f"{FOLDER}/output.json", "problem": "digest"}]
    tenant.shelf.put(f"{FOLDER}/output.json", b"right")
    assert tenant.check().failing == 0
    assert tenant.known() == {f"{FOLDER}/output.json": None}


def test_wrong_size_is_found_without_reading_and_seen_to_be_mended_at_the_source(tenant: Tenant) -> None:
    tenant.write("output.json", b"right")
    tenant.shelf.put(f"{FOLDER}/output.json", b"much longer")
    assert tenant.synced_check().problems == {"size": 1}
    assert tenant.opened == []
    run(tenant.source, "update artifacts set size_bytes = 11, digest = %s", hashlib.sha256(b"much longer").hexdigest())
    assert tenant.synced_check().failing == 0
    assert tenant.failing() == []


@pytest.mark.parametrize("path", [f"storage/globex/{RUN}/draft/output.json", f"{FOLDER}/../../../globex/{RUN}/draft/output.json"])
def test_file_of_another_tenant_is_never_looked_at(tenant: Tenant, path: str) -> None:
    content = b"of another tenant"
    tenant.shelf.put(f"storage/globex/{RUN}/draft/output.json", content)
    tenant.name(path, content)
    assert tenant.synced_check().problems == {"place": 1}
    top = tenant.storage._folder if tenant.storage._is_local else tenant.storage._folder.partition("/")[0]
    assert (tenant.watched.looked_at, tenant.watched.opened) == ([top], [])
    tenant.shelf.put(f"{FOLDER}/output.json", content)
    run(tenant.source, "update artifacts set file_path = %s", f"{FOLDER}/output.json")
    assert tenant.synced_check().failing == 0


def test_names_are_taken_as_they_are(tenant: Tenant) -> None:
    names = ("a b+c%20d#e&f=g.json", "工程é.json", "50%", 'it\'s "so"', "?*[x]")
    for name in names:
        tenant.write(name, name.encode())
    assert tenant.synced_check().problems == {}
    assert tenant.opened == sorted(names)


@pytest.mark.parametrize("name", ["ok?versionId=1", "folder", "ok/", "long/" * 250 + "ok"])
def test_what_only_seems_to_be_the_name_of_a_file_is_none(tenant: Tenant, name: str) -> None:
    tenant.shelf.put(f"{FOLDER}/ok", b"x")
    tenant.shelf.put(f"{FOLDER}/folder/ok", b"x")
    tenant.name(f"{FOLDER}/{name}", b"x")
    assert tenant.synced_check().problems == {"place" if name.endswith("/") else "missing": 1}
    assert tenant.opened == []


def test_only_files_of_new_and_changed_rows_are_read(tenant: Tenant) -> None:
    for number in range(20):
        tenant.write(f"artifacts/{number}", b"x" * number)
    assert tenant.synced_check().read == 20
    assert len(tenant.opened) == 20
    assert tenant.check().read == 0
    # Not even whether there is a storage is asked.
    assert tenant.watched.looked_at == []
    tenant.write("artifacts/new", b"new")
    run(tenant.source, "update artifacts set step = 'review' where file_path like '%/artifacts/7'")
    found = tenant.synced_check()
    assert (found.read, found.files) == (2, 21)
    assert tenant.opened == ["artifacts/7", "artifacts/new"]
    assert tenant.check(everything=True).read == 21
    assert len(tenant.opened) == 21


def test_a_file_that_changes_without_its_row_is_found_when_everything_is_read(tenant: Tenant) -> None:
    tenant.write("output.json", b"right")
    tenant.synced_check()
    tenant.shelf.put(f"{FOLDER}/output.json", b"wrong")
    assert tenant.check().failing == 0
    assert tenant.check(everything=True).problems == {"digest": 1}


def test_a_large_file_is_read_in_parts(tenant: Tenant) -> None:
    tenant.write("artifacts/large", os.urandom(1_000_000))
    assert tenant.synced_check().failing == 0
    assert 0 < tenant.watched.largest_read < 1_000_000


def test_files_are_read_at_the_same_time(tenant: Tenant) -> None:
    both = threading.Barrier(2, timeout=30)
    opening = tenant.watched.open

    def open_with_another(name: str, *arguments: Any, **options: Any) -> IO[bytes]:  # noqa: ANN401
        both.wait()
        return opening(name, *arguments, **options)

    tenant.watched.open = open_with_another  # type: ignore[method-assign]
    for number in range(4):
        tenant.write(f"artifacts/{number}", b"x")
    assert tenant.synced_check().failing == 0


def test_rows_that_are_gone_or_set_aside_take_their_files_with_them(local_tenant: Tenant) -> None:
    tenant = local_tenant
    for name in ("kept", "deleted", "aside"):
        tenant.name(f"{FOLDER}/{name}", b"x")
    assert tenant.synced_check().problems == {"missing": 3}
    run(tenant.source, "delete from artifacts where file_path like '%/deleted'")
    tenant.in_warehouse("update raw_llm_workflow.artifacts set _quarantined_at = now() where file_path like '%/aside'")
    found = tenant.synced_check()
    assert (found.files, found.problems) == (1, {"missing": 1})
    assert tenant.failing() == [(f"{FOLDER}/kept", "missing")]
    tenant.in_warehouse("update raw_llm_workflow.artifacts set _quarantined_at = null")
    assert tenant.check().problems == {"missing": 2}


def test_since_when_a_file_is_so_stays_until_it_is_otherwise(local_tenant: Tenant) -> None:
    tenant = local_tenant
    found_at = "select found_at from quality.stored_files"
    tenant.name(f"{FOLDER}/output.json", b"right")
    tenant.synced_check()
    first = tenant.in_warehouse(found_at)
    run(tenant.source, "update artifacts set step = 'review'")
    tenant.synced_check()
    assert tenant.in_warehouse(found_at) == first
    tenant.shelf.put(f"{FOLDER}/output.json", b"wrong")
    tenant.check()
    second = tenant.in_warehouse(found_at)
    assert second > first
    tenant.shelf.put(f"{FOLDER}/output.json", b"right")
    tenant.check()
    assert tenant.in_warehouse(found_at) > second


def test_each_change_is_one_result_and_what_is_as_it_was_is_none(local_tenant: Tenant) -> None:
    tenant = local_tenant
    tenant.name(f"{FOLDER}/output.json", b"{}")
    tenant.synced_check()
    tenant.check()
    tenant.shelf.put(f"{FOLDER}/output.json", b"{}")
    tenant.check()
    tenant.check()
    results = tenant.in_warehouse(
        "select run_id, asset_key, suite, expectation, severity, is_success, evaluated_rows, failing_rows, batch_id"
        " from quality.validation_results order by validated_at"
    )
    ((batch,),) = tenant.in_warehouse("select batch_id from ops.sync_state")
    named = ("a run", "llm_workflow/artifacts", "llm_workflow.artifacts", CHECK, "warning")
    assert results == [(*named, False, 1, 1, batch), (*named, True, 1, 0, batch)]


def test_a_table_that_was_never_synced_names_no_file(local_tenant: Tenant) -> None:
    assert (local_tenant.check().files, local_tenant.watched.looked_at) == (0, [])


def test_storage_that_is_gone_is_an_error_and_nothing_is_forgotten(local_tenant: Tenant, tmp_path: Path) -> None:
    tenant = local_tenant
    tenant.write("output.json", b"{}")
    tenant.synced_check()
    (tmp_path / "files").rename(tmp_path / "away")
    tenant.name(f"{FOLDER}/new.json", b"new")
    tenant.sync()
    with pytest.raises(StorageError, match="there is no folder"):
        tenant.check()
    assert tenant.known() == {f"{FOLDER}/output.json": None}
    (tmp_path / "away").rename(tmp_path / "files")
    tenant.shelf.put(f"{FOLDER}/new.json", b"new")
    assert tenant.check().failing == 0
    assert len(tenant.known()) == 2


def test_server_that_does_not_answer_and_bucket_that_there_is_not_are_errors_that_tell_no_secret(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    with serving_s3() as served:
        tenant = tenant_on(served.shelf(), new_database, tmp_path)
        tenant.write("output.json", b"{}")
        tenant.sync()
        with pytest.raises(StorageError, match="there is no bucket nobodys; RUNMART_STORAGE_URL says where the storage is") as caught:
            check_files(tenant.warehouse, TABLE, Storage.at(served.url("nobodys/folder")), "a run")
        told = [str(caught.value)]
        served.stop()
        with pytest.raises(StorageError, match="the storage cannot be read: EndpointConnectionError") as caught:
            tenant.check()
        told.append(str(caught.value))
    assert not [line for line in told if SECRET in line or "key:" in line]
    assert tenant.in_warehouse("select 1 from quality.stored_files union all select 1 from quality.failing_rows") == []


# Checks files, and stops for good in the midst of the transaction that writes what was found.
_STOPPING_MIDWAY = """
import sys, time
from pathlib import Path
from dagster_project.quality import ledger, stored_files
from dagster_project.quality.storage import Storage
from dagster_project.warehouse import Warehouse, of_tenants
from tests.integration.quality.test_stored_files import TABLE

def stop(cursor, *_):
    cursor.execute("select count(*) from quality.stored_files")
    print("midway", cursor.fetchone()[0], flush=True)
    time.sleep(600)

stored_files.ledger.keep = stop
warehouse = Warehouse(sys.argv[1], Path(sys.argv[2]), of_tenants("llm_workflow"), tenant="acme")
stored_files.check_files(warehouse, TABLE, Storage.at(sys.argv[3]), "a run that is killed")
"""


def test_a_check_that_is_killed_midway_leaves_nothing_half_written(local_tenant: Tenant, tmp_path: Path) -> None:
    tenant = local_tenant
    tenant.write("output.json", b"{}")
    tenant.name(f"{FOLDER}/none.json", b"none")
    tenant.sync()
    command = [sys.executable, "-c", _STOPPING_MIDWAY, tenant.warehouse.url, str(tmp_path), tenant.shelf.url]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "midway 2\n"
        process.send_signal(signal.SIGKILL)
    written = "select 1 from quality.stored_files union all select 1 from quality.failing_rows union all"
    assert tenant.in_warehouse(f"{written} select 1 from quality.validation_results") == []
    found = tenant.check()
    assert (found.read, found.problems) == (2, {"missing": 1})
