"""What the community's Python client makes of the API; see python-client.test.ts, which runs it.

Arguments: address of the API, administrator's password, port of the router, a zip file with an app. Prints one JSON
object per section.
"""

import json
import sys
import traceback

import requests
from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.errors import InvalidStatusCode
from cloudfoundry_client.v3.entities import ToManyRelationship, ToOneRelationship
from cloudfoundry_client.v3.packages import PackageType
from cloudfoundry_client.v3.routes import LoadBalancing
from oauth2_client.credentials_manager import OAuthError

API, PASSWORD, ROUTER_PORT, ARCHIVE = sys.argv[1:]
# Upstream announces these addresses too, and answers no GET there.
NOT_TO_BE_READ = {"jobs", "resource_matches", "environment_variable_groups", "shared_organizations"}

client = CloudFoundryClient(API)
made = {}


def refusal(ask):
    """The status and the sentences of an answer that has to be an error."""
    try:
        ask()
    except InvalidStatusCode as error:
        return error.status_code.value, [each["detail"] for each in error.body["errors"]]
    raise AssertionError("it was not refused")


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def relationships(**guids):
    return {"relationships": {name: {"data": {"guid": guid}} for name, guid in guids.items()}}


def log_in():
    try:
        client.init_with_user_credentials("admin", "wrong")
        raise AssertionError("a wrong password was taken")
    except OAuthError as error:
        equal((error.status_code.value, error.error), (401, "unauthorized"))
    client.init_with_user_credentials("admin", PASSWORD)
    another = CloudFoundryClient(API)
    another.init_with_token(client.refresh_token)
    equal(another.v3.spaces.get_first(names="dev")["name"], "dev")


def renew():
    client._access_token = "what.has.expired"
    equal(client.v3.organizations.get_first(names="viaduct")["name"], "viaduct")
    assert client._access_token != "what.has.expired"


def places():
    v3 = client.v3
    org = v3.organizations.create("snakes", False, {"kind": "guest"}, {"note": "of the test"})
    partner = v3.organizations.create("partner", False)
    equal(v3.organizations.update(org["guid"], "python")["name"], "python")
    equal(v3.organizations.get_first(label_selector="kind=guest")["name"], "python")
    space = v3.spaces.create("pit", org["guid"])
    equal(v3.spaces.update(space["guid"], "nest")["name"], "nest")
    equal(space.organization()["name"], "python")
    equal(v3.spaces.get_assigned_isolation_segment(space["guid"]).guid, None)
    shared = v3.domains.create("python.example.com")
    own = v3.domains.create("own.example.com", organization=ToOneRelationship(org["guid"]))
    equal(own["relationships"]["organization"].guid, org["guid"])
    v3.domains.share_domain(own["guid"], ToManyRelationship(partner["guid"]))
    names = sorted(domain["name"] for domain in v3.domains.list_domains_for_org(partner["guid"]))
    equal(names, ["apps.internal", "localhost", "own.example.com", "python.example.com"])
    v3.domains.unshare_domain(own["guid"], partner["guid"])
    equal(v3.organizations.get_default_domain(org["guid"])["name"], "localhost")
    equal(v3.organizations.get_usage_summary(org["guid"])["usage_summary"]["routes"], 0)
    made.update(org=org, partner=partner, space=space, domain=shared)


def routes():
    v3, space, domain = client.v3, made["space"]["guid"], made["domain"]["guid"]
    route = v3.routes.create(
        space,
        domain,
        host="shop",
        path="/headers",
        load_balancing=LoadBalancing.LEAST_CONNECTION,
        meta_labels={"tier": "web"},
    )
    equal((route["url"], route["options"]), ("shop.python.example.com/headers", {"loadbalancing": "least-connection"}))
    changed = v3.routes.update(route["guid"], LoadBalancing.ROUND_ROBIN, meta_annotations={"a": "b"})
    equal((changed["options"], changed["metadata"]["labels"]), ({"loadbalancing": "round-robin"}, {"tier": "web"}))
    for number in range(6):
        v3.routes.create(space, domain, host=f"many-{number}")
    pages = v3.routes.list(space_guids=space, per_page=2)
    equal((pages.total_results, len(list(pages))), (7, 7))
    listed = v3.routes.list(space_guids=[space], include="domain,space,space.organization", hosts="shop")
    [one] = listed
    equal((one.domain()["name"], one.space()["name"]), ("python.example.com", "nest"))
    equal(one.space().organization()["name"], "python")
    equal(
        refusal(lambda: v3.routes.create(space, domain, host="shop", path="/headers")),
        (422, ["Route already exists with host 'shop' and path '/headers' for domain 'python.example.com'."]),
    )
    equal(refusal(lambda: v3.routes.get("nothing")), (404, ["Route not found"]))
    equal(refusal(lambda: v3.routes.list(colour="red"))[0], 400)
    made["route"] = route


def push():
    v3 = client.v3
    app = v3.apps._create({"name": "shop", **relationships(space=made["space"]["guid"])})
    destinations = {"destinations": [{"app": {"guid": app["guid"]}}]}
    added = client.post(f"{API}/v3/routes/{made['route']['guid']}/destinations", json=destinations).json()
    equal(added["destinations"][0]["app"], {"guid": app["guid"], "process": {"type": "web"}})
    package = v3.packages.create(app["guid"], PackageType.BITS)
    v3.packages._upload_bits(package["guid"], ARCHIVE)
    equal(v3.packages.get(package["guid"])["state"], "READY")
    build = client.post(f"{API}/v3/builds", json={"package": {"guid": package["guid"]}}).json()
    equal((build["state"], build["created_by"]["name"]), ("STAGED", "admin"))
    droplet = build["droplet"]["guid"]
    equal([each["guid"] for each in v3.packages.list_droplets(package["guid"])], [droplet])
    current = f"{API}/v3/apps/{app['guid']}/relationships/current_droplet"
    client.patch(current, json={"data": {"guid": droplet}})
    equal(v3.apps.restart(app["guid"])["state"], "STARTED")
    host = {"Host": "shop.python.example.com"}
    while True:
        answer = requests.get(f"http://127.0.0.1:{ROUTER_PORT}/headers", headers=host)
        if answer.status_code == 200:
            break
        equal(answer.headers["X-Cf-RouterError"], "no_endpoints")
    equal([route["url"] for route in v3.apps.list_routes(app["guid"])], ["shop.python.example.com/headers"])
    equal(list(v3.apps.list_revisions(app["guid"])), [])
    assert "VCAP_APPLICATION" in v3.apps.get_env(app["guid"])["application_env_json"]
    equal(refusal(lambda: v3.tasks.create(app["guid"], "date"))[0], 422)
    made["app"] = app


def manifest():
    text = "applications: [{name: second, routes: [{route: second.python.example.com, options: {retries: 2}}]}]"
    url = f"{API}/v3/spaces/{made['space']['guid']}/actions/apply_manifest"
    answer = client.post(url, data=text, headers={"Content-Type": "application/x-yaml"})
    job = client.v3.jobs.wait_for_job_completion(answer.headers["Location"].rsplit("/", 1)[-1])
    equal((job["state"], job["errors"]), ("COMPLETE", []))
    app = client.v3.apps.get_first(names="second")
    equal([route["options"] for route in client.v3.apps.list_routes(app["guid"])], [{"retries": "2"}])
    assert "second.python.example.com" in client.v3.apps.get_manifest(app["guid"])
    client.v3.apps.remove(app["guid"], asynchronous=False)
    refused = refusal(lambda: client.post(url, data="[", headers={"Content-Type": "application/x-yaml"}))
    equal(refused[0], 400)


def services():
    v3 = client.v3
    place = relationships(space=made["space"]["guid"])
    instance = v3.service_instances._create({"type": "user-provided", "name": "db", **place})
    equal(v3.service_instances.get_permissions(instance["guid"]), {"read": True, "manage": True})
    bound = relationships(app=made["app"]["guid"], service_instance=instance["guid"])
    binding = v3.service_credential_bindings._create({"type": "app", **bound})
    equal(binding.app()["name"], "shop")
    equal(v3.feature_flags.update("route_sharing", True)["enabled"], True)


def follow(entity, origin, seen, dead):
    """Every link of an entity, and of what it leads to."""
    for name, link in (entity.get("links") or {}).items():
        href = (link or {}).get("href")
        if href is None or link.get("method", "GET") != "GET" or href in seen or name in NOT_TO_BE_READ:
            continue
        seen.add(href)
        try:
            answer = client.get(href)
        except InvalidStatusCode as error:
            dead.append((origin, name, str(error)))
            continue
        if not answer.headers["Content-Type"].startswith("application/json"):
            continue
        body = answer.json()
        for each in body.get("resources", [body]):
            follow(each, name, seen, dead)


def links():
    seen, dead = set(), []
    follow(client.get(f"{API}/v3").json(), "v3", seen, dead)
    equal(dead, [])
    assert len(seen) > 80, f"only {len(seen)} links"


def delete():
    v3 = client.v3
    v3.apps.remove(made["app"]["guid"], asynchronous=False)
    equal(refusal(lambda: v3.apps.get(made["app"]["guid"])), (404, ["App not found"]))
    v3.domains.remove(made["domain"]["guid"], asynchronous=False)
    equal(refusal(lambda: v3.routes.get(made["route"]["guid"]))[0], 404)
    for name in ("org", "partner"):
        v3.organizations.remove(made[name]["guid"], asynchronous=False)
    equal([org["name"] for org in v3.organizations.list()], ["viaduct"])


SECTIONS = {
    "a wrong password is refused, the right one and a refresh token log in": log_in,
    "a token that has run out is renewed without a word": renew,
    "organizations, spaces and domains are made, renamed, shared and found": places,
    "routes with options are made, changed, paged, included and refused": routes,
    "an app is uploaded, staged, mapped and answers through the router": push,
    "a manifest is a job": manifest,
    "services are made, and bound": services,
    "every link leads somewhere": links,
    "what is deleted is gone when its job is done": delete,
}

for title, section in SECTIONS.items():
    try:
        section()
        print(json.dumps({"title": title, "error": None}), flush=True)
    except Exception:
        print(json.dumps({"title": title, "error": traceback.format_exc()}), flush=True)
