"""What ADC's `apisix` backend sends to the Admin API, in its order, and what it expects back."""

from __future__ import annotations

import hashlib
import re

import pytest

from stack import VIEWER_KEY, AdminApi
from stack.admin import send

DUMPED = [
    "services",
    "routes",
    "upstreams",
    "ssls",
    "consumers",
    "plugin_configs",
    "global_rules",
    "plugin_metadata",
]


def sha1(name: str) -> str:
    """ADC's ids."""
    return hashlib.sha1(name.encode()).hexdigest()


SERVICE, ROUTE = sha1("tides"), sha1("tides.levels")
UPSTREAM_BODY = {
    "name": "default",
    "type": "roundrobin",
    "scheme": "http",
    "pass_host": "pass",
    "nodes": [{"host": "127.0.0.1", "port": 1980, "weight": 100, "priority": 0}],
    "timeout": {"connect": 6, "send": 6, "read": 6},
}
ROUTE_BODY = {
    "id": ROUTE,
    "name": "levels",
    "labels": {"team": "coast"},
    "uris": ["/adc/levels", "/adc/levels/*"],
    "methods": ["GET"],
    "service_id": SERVICE,
    "plugins": {"limit-count": {"count": 5, "time_window": 60, "rejected_code": 429, "key": "remote_addr"}},
}


@pytest.fixture
def synced(admin: AdminApi):
    """One service as ADC writes it; taken away in ADC's order, whatever the test left."""
    admin.create(f"/upstreams/{SERVICE}", UPSTREAM_BODY | {"id": SERVICE})
    admin.create(f"/services/{SERVICE}", {"id": SERVICE, "name": "tides", "upstream_id": SERVICE})
    admin.create(f"/routes/{ROUTE}", ROUTE_BODY)
    yield admin
    for path in (f"/routes/{ROUTE}", f"/services/{SERVICE}", f"/upstreams/{SERVICE}"):
        assert admin.delete(path).status in (200, 404)


def dumped(admin: AdminApi, collection: str) -> dict[str, dict]:
    reply = admin.get(f"/{collection}")
    assert reply.status == 200, reply.text
    assert isinstance(reply.json["list"], list)
    return {item["key"].rsplit("/", 1)[-1]: item["value"] for item in reply.json["list"]}


# Ping, version, dump


def test_the_version_is_read_off_the_server_header(admin):
    reply = admin.get("/routes")
    version = re.search(r"APISIX/(\d+)\.(\d+)\.(\d+)", reply.headers["Server"])

    assert tuple(map(int, version.groups())) >= (3, 11, 0), "ADC would not use credentials"


@pytest.mark.parametrize("path", ["/nothing", "/routes/none"])
def test_errors_carry_the_server_header_too(admin, path):
    assert "APISIX/3.18.0" in admin.get(path).headers["Server"]


def test_head_tells_the_version_without_a_key(stack):
    reply = send("HEAD", f"{stack.gateway.admin_origin}/apisix/admin")

    assert (reply.status, reply.body) == (200, b"")
    assert "APISIX/3.18.0" in reply.headers["Server"]


@pytest.mark.parametrize("collection", DUMPED)
def test_every_collection_can_be_dumped_unpaged(admin, collection):
    dumped(admin, collection)


def test_stream_routes_may_be_refused_but_are_answered(admin):
    reply = admin.get("/stream_routes")

    assert reply.status == 200 or (reply.status >= 400 and reply.json["error_msg"])


def test_a_consumer_without_credentials_has_none_to_dump(admin):
    admin.create("/consumers", {"username": "adc_bare"})
    try:
        assert admin.get("/consumers/adc_bare/credentials").status == 404
    finally:
        admin.delete("/consumers/adc_bare")


def test_a_dump_gives_back_what_was_synced_and_no_defaults(synced):
    def without_times(collection: str, name: str) -> dict:
        return {key: value for key, value in dumped(synced, collection)[name].items() if not key.endswith("_time")}

    assert without_times("routes", ROUTE) == ROUTE_BODY
    assert without_times("upstreams", SERVICE) == UPSTREAM_BODY | {"id": SERVICE}


def test_credentials_are_dumped_apart_from_consumers(admin):
    admin.create("/consumers", {"username": "adc_jack", "labels": {"team": "coast"}})
    credential = sha1("adc_jack.key")
    admin.create(
        f"/consumers/adc_jack/credentials/{credential}",
        {"name": "key", "plugins": {"key-auth": {"key": "adc-secret"}}},
    )
    try:
        assert "adc_jack" in dumped(admin, "consumers")
        assert credential not in dumped(admin, "consumers")
        assert dumped(admin, "consumers/adc_jack/credentials")[credential]["plugins"]["key-auth"]["key"] == "adc-secret"
    finally:
        assert admin.delete(f"/consumers/adc_jack/credentials/{credential}").status == 200
        assert admin.delete("/consumers/adc_jack").status == 200


# Sync


def test_writes_are_created_first_and_updated_then(admin):
    path = f"/upstreams/{sha1('twice')}"
    try:
        first = admin.put(path, UPSTREAM_BODY)
        second = admin.put(path, UPSTREAM_BODY | {"desc": "again"})

        assert (first.status, second.status) == (201, 200)
        assert first.json["value"]["create_time"] == second.json["value"]["create_time"]
    finally:
        admin.delete(path)


def test_references_see_a_write_at_once_in_both_directions(admin):
    for number in range(50):
        name = sha1(f"burst {number}")
        admin.create(f"/upstreams/{name}", UPSTREAM_BODY)
        admin.create(f"/services/{name}", {"name": name, "upstream_id": name})
        admin.create(f"/routes/{name}", {"uri": f"/adc/{number}", "service_id": name})
        for collection in ("routes", "services", "upstreams"):
            reply = admin.delete(f"/{collection}/{name}")
            assert reply.status == 200, reply.text
            assert reply.json == {"key": f"/apisix/{collection}/{name}", "deleted": "1"}


def test_what_is_in_use_cannot_be_deleted(synced):
    service = synced.delete(f"/services/{SERVICE}")
    upstream = synced.delete(f"/upstreams/{SERVICE}")

    assert service.status == upstream.status == 400
    in_use = f"can not delete this service directly, route [{ROUTE}] is still using it now"
    assert service.json["error_msg"] == in_use
    assert upstream.json["error_msg"] == f"can not delete this upstream, service [{SERVICE}] is still using it now"


def test_a_reference_to_nothing_is_refused_in_words(admin):
    reply = admin.put(f"/services/{sha1('dangling')}", {"name": "dangling", "upstream_id": "nowhere"})

    assert reply.status == 400
    assert reply.json["error_msg"] == "failed to fetch upstream info by upstream id [nowhere], response code: 404"


def test_global_rules_and_metadata_are_named_by_their_plugin(admin):
    try:
        admin.create("/global_rules/request-id", {"plugins": {"request-id": {"header_name": "X-Adc-Request-Id"}}})
        admin.create("/plugin_metadata/file-logger", {"log_format": {"host": "$host"}})

        assert dumped(admin, "global_rules")["request-id"]["plugins"] == {
            "request-id": {"header_name": "X-Adc-Request-Id"}
        }
        assert dumped(admin, "plugin_metadata")["file-logger"]["log_format"] == {"host": "$host"}
    finally:
        assert admin.delete("/global_rules/request-id").status == 200
        assert admin.delete("/plugin_metadata/file-logger").status == 200


def test_a_synced_route_serves(synced, stack, simulator, wait_until):
    host, port = simulator.address
    node = {"host": host, "port": port, "weight": 100}
    synced.create(f"/upstreams/{SERVICE}", UPSTREAM_BODY | {"nodes": [node]})
    route = {"uri": "/adc/now", "service_id": SERVICE, "plugins": {"proxy-rewrite": {"uri": "/echo"}}}
    synced.create(f"/routes/{sha1('now')}", route)
    try:
        url = f"{stack.gateway.origin}/adc/now"
        reply = wait_until(lambda: (got := send("GET", url)).status == 200 and got, "the route serves", limit=1)
        assert reply.json["path"] == "/echo"
    finally:
        synced.delete(f"/routes/{sha1('now')}")


# Validation


def test_a_good_configuration_is_valid(admin):
    good = {
        "services": [{"id": SERVICE, "name": "tides", "upstream": UPSTREAM_BODY}],
        "routes": [ROUTE_BODY],
        "consumers": [{"username": "jack", "plugins": {"key-auth": {"key": "k"}}}],
        "global_rules": [{"id": "cors", "plugins": {"cors": {}}}],
        "plugin_metadata": [{"id": "file-logger", "log_format": {"host": "$host"}}],
    }
    reply = admin.request("POST", "/configs/validate", good)

    assert (reply.status, reply.json) == (200, {})


def test_each_fault_of_a_bad_configuration_is_named(admin):
    bad = {
        "routes": [ROUTE_BODY, {"id": "r2", "uri": "/x", "plugins": {"limit-count": {"count": -1, "time_window": 60}}}],
        "upstreams": [{"id": "u1", "type": "roundrobin", "nodes": "none"}],
        "consumers": [{"username": "not a name"}],
    }
    reply = admin.request("POST", "/configs/validate", bad)

    assert reply.status == 400
    assert reply.json["error_msg"] == "Configuration validation failed"
    places = {(fault["resource_type"], fault["index"], fault.get("resource_id")) for fault in reply.json["errors"]}
    assert places >= {("routes", 1, "r2"), ("upstreams", 0, "u1")}
    assert {fault["resource_type"] for fault in reply.json["errors"]} == {"routes", "upstreams", "consumers"}
    assert all(fault["error"] for fault in reply.json["errors"])


def test_validation_writes_nothing(admin):
    admin.request("POST", "/configs/validate", {"routes": [{"id": "ghost", "uri": "/ghost", "plugins": {"cors": {}}}]})

    assert admin.get("/routes/ghost").status == 404


def test_a_body_that_is_not_json_is_refused_in_words(admin):
    reply = admin.request("POST", "/configs/validate", b"{")

    assert reply.status == 400
    assert reply.json["error_msg"].startswith("invalid request body")


# Keys


def test_a_viewer_may_dump_and_not_sync(stack):
    viewer = AdminApi(stack.gateway.admin_origin, VIEWER_KEY)

    assert viewer.get("/routes").status == 200
    refused = viewer.put(f"/upstreams/{SERVICE}", UPSTREAM_BODY)
    assert (refused.status, refused.json["description"]) == (401, "invalid method for role viewer")


@pytest.mark.parametrize(("key", "why"), [("no", "wrong apikey"), (None, "missing apikey")])
def test_a_wrong_key_is_refused_in_words(stack, key, why):
    headers = {} if key is None else {"X-API-KEY": key}
    reply = send("GET", f"{stack.gateway.admin_origin}/apisix/admin/routes", headers=headers)

    assert (reply.status, reply.json) == (401, {"error_msg": "failed to check token", "description": why})
