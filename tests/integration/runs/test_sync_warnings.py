"""Who hears of what a sync warns of: once, and again only when it is new."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import psycopg2
import pytest

from dagster_project.components.contract import load_contracts
from dagster_project.components.source_system import raw_assets, reconcile_config
from dagster_project.defs.automation import sync_warnings
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.warehouse import Sources, Warehouse

SYSTEM = "forecast_tracking"


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A local HTTP server in the place of a chat service: its Apprise URL, and the messages that it got."""
    messages: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}", messages
    server.shutdown()
    thread.join()
    server.server_close()


def execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_people_are_told_once_of_each_warning(new_database: Callable[[str], str], receiver: tuple[str, list[dict[str, str]]]) -> None:
    source, warehouse, (url, messages) = new_database(SYSTEM), new_database("warehouse"), receiver
    resources = {"warehouse": Warehouse(fixed_url=warehouse), "sources": Sources(fixed_urls={SYSTEM: source})}
    cursor: str | None = None
    with dg.instance_for_test() as instance:

        def sync(*tables: str) -> str:
            config = reconcile_config(SYSTEM, tables, is_repairing=True) if tables else None
            return dg.materialize([raw_assets(load_contracts()[SYSTEM])], instance=instance, resources=resources, run_config=config).run_id

        def look() -> list[dict[str, str]]:
            nonlocal cursor
            before = len(messages)
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"alerts": Alerts(fixed_urls=[url])})
            sync_warnings(context)
            cursor = context.cursor
            return messages[before:]

        assert look() == []
        sync()
        assert look() == []

        execute(source, "alter table tags add column colour text")
        sync()
        sync()
        (message,) = look()
        assert message["title"] == f"Runmart: sync of {SYSTEM}: 1 warning"
        assert "tags: new columns at the source are not declared and were not read: colour" in message["message"]
        assert look() == []

        execute(source, "insert into tags (tag_name) values ('a'), ('b')")
        sync()
        execute(warehouse, f"update raw_{SYSTEM}.tags set tag_name = 'c' where tag_name = 'a'")
        run_id = sync("tags")
        sync()
        (message,) = look()
        assert f"raw_{SYSTEM}.tags differed from its source: 0 rows lost, 0 extra, 1 stale; repaired" in message["message"]
        assert "select * from ops.repairs where batch_id = 5" in message["message"]
        assert f"Run: {run_id}" in message["message"]
        assert look() == []
