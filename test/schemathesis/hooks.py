"""Rules of the server that schemas cannot express.

Positive data match the schema; the hooks make them match these rules, so that a rejection is a failure. Negative data are sent
unchanged, except those that the server accepts deliberately.
"""

import os
import unicodedata
import uuid

import requests
import schemathesis

EVENTS = {"/deployment-events/", "/build-events/", "/version-events/"}
NAMES = {"name", "product_name", "version", "environment_name", "environment"}
NO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
KEPT = {os.environ[name] for name in ("CHANNEL", "ENVIRONMENT", "EVENTS_KEY_ID", "FEED", "PRODUCT", "RELEASE", "REQUEST", "RULE", "TEMPLATE", "VARIABLE")}
CHANNELS = "/notification-channels/"
PREFERENCES = "/notification-preferences/"
CONFIGS = {
    "slack_webhook": {"webhook_url": "http://127.0.0.1:9/slack"},
    "webhook": {"url": "http://127.0.0.1:9/hook", "secret": "not-so-secret-1234567890"},
    "email": {"to": "team@example.com"},
}
REQUESTS = ("/deployment-requests/", "/deployment-request-templates/")
SLOT = "/deployment-requests/{id}/approvals/{slot_id}/"
RULES = "/deployment-rules/"
TEMPLATES = "/deployment-templates/"
RENDER = "/deployment-templates/{id}/render"
VARIABLES = "/variables/"
RULE_CALENDAR = "/deployment-rules/{id}/calendar"
CALENDAR = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261224\r\nDTEND:20261227\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
WINDOW = {"name": "night", "effect": "deny", "start": "2026-01-01T22:00", "end": "2026-01-02T06:00"}
RULE_CONFIGS = {
    "schedule": {"timezone": "Europe/Berlin", "windows": [WINDOW]},
    "flow": {"prerequisites": ["staging"]},
    "concurrency": {"max_in_progress": 1, "per": "product_environment"},
    "version_approval_required": {"required_approvals": ["qa"]},
}


def valid_name(text: str) -> str:
    """Return a name without control characters that does not consist of white space and zero-width characters only."""
    text = "".join(character for character in text if unicodedata.category(character) != "Cc")
    return "name" if all(character.isspace() or character in NO_WIDTH for character in text) else text


def fit_body(path: str, body: dict) -> None:
    if path == "/deployment-events/" and not body.get("environment_name") and not body.get("environment"):
        body["environment_name"] = "production"  # one of the two, and not null
    if path in EVENTS and "scm_sha" in body:
        del body["scm_sha"]  # the commit of a version cannot change
    for name in NAMES & body.keys():
        if isinstance(body[name], str):
            body[name] = valid_name(body[name])
    if body.get("expires_at"):
        body["expires_at"] = "2999-01-01T00:00:00Z"  # in the future
    if path == CHANNELS:
        body["config"] = CONFIGS[body["channel_type"]]  # the settings depend on the type
    if path == "/notification-channels/{id}":
        body.pop("config", None)  # likewise
    if path == "/releases/{id}":
        body.pop("status", None)  # not every status follows on every other
    if path == "/releases/{id}/versions":
        body["version_id"] = os.environ["VERSION"]  # an existing one
    if path == PREFERENCES:
        body["channel_id"] = os.environ["CHANNEL"]
    if path.startswith(PREFERENCES):
        body.pop("filters", None)  # filters must be able to match the event type
    if path.startswith(RULES):
        fit_rule(path, body)
    if path.startswith(TEMPLATES):
        fit_template(path, body)
    if path == VARIABLES:
        body.pop("product_id", None)  # an existing one
        body["key"] = f"k{uuid.uuid4().hex}"  # unique, and not the server's
    if path == "/preflight/":
        body.pop("at", None)  # in the next 400 days
        for name, identifier in (("product_name", "product_id"), ("version", "version_id"), ("environment_name", "environment_id")):
            if not body.get(name) and not body.get(identifier):
                body[name] = "checkout"  # one of the two, and not null
            elif body.get(identifier):
                body.pop(name, None)  # not that of something else
        if body.get("version_id"):
            body.pop("product_id", None)  # likewise
            body.pop("product_name", None)
    if path.startswith(REQUESTS):
        fit_request(path, body)
    if path == "/versions/{id}/approvals":
        body["comments"] = "seen on staging"  # a rejection needs some


def fit_rule(path: str, body: dict) -> None:
    """Give a rule the configuration of its type, and a mode that blocks no events of other requests."""
    for name in ("mode", "enabled", "rollback", "scope", "deployment_request_required", *RULE_CONFIGS):
        body.pop(name, None)
    if path == RULES:
        if body["rule_type"] not in RULE_CONFIGS:
            body["rule_type"] = "flow"  # the other type comes with deployment requests
        body.update({"name": f"rule {len(body['name'])}", "mode": "report_only"})  # fewer than an account may have
        body[body["rule_type"]] = RULE_CONFIGS[body["rule_type"]]


def fit_template(path: str, body: dict) -> None:
    """Give a template a URL, its product, and an environment of its own; render one for what it is for."""
    if path == RENDER:
        body.update(version_id=os.environ["VERSION"], environment_id=os.environ["ENVIRONMENT"])
        return
    if "url_template" in body:
        body["url_template"] = "https://ci.example.com/{{vi_version}}"
    if "product_id" in body:
        body["product_id"] = os.environ["PRODUCT"]
    if path == TEMPLATES:
        body["environment_ids"] = [create_environment()]  # the product has no other template for it
    else:
        body.pop("environment_ids", None)  # those of the template that is rendered


def create_environment() -> str:
    answer = requests.post(
        f"{os.environ['URL']}/environments/",
        json={"name": str(uuid.uuid4())},
        headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()["id"]


def fit_request(path: str, body: dict) -> None:
    """Refer to existing objects, and give each slot of a deployment request another type."""
    if "environment_ids" in body:
        body["environment_ids"] = [os.environ["ENVIRONMENT"]]
    if isinstance(body.get("approvals"), list):
        body["approvals"] = [{"approval_type": "qa"}] if body["approvals"] else []
    for name in ("title", "text"):
        if name in body:
            body[name] = valid_name(body[name])
    for step in body.get("steps") or []:
        step["title"] = valid_name(step["title"])
    body.pop("template_id", None)  # an existing one
    if path.endswith("/versions"):
        body["version_id"] = os.environ["VERSION"]
    if "/approvals/" in path:
        body["comments"] = "seen on staging"  # a rejection needs some
        body["activation"] = 1  # that of a request that create_request activates


def fill_release(parameters: dict) -> None:
    """Add the version to the release that it is removed from."""
    parameters.update(id=os.environ["RELEASE"], version_id=os.environ["VERSION"])
    requests.post(
        f"{os.environ['URL']}/releases/{parameters['id']}/versions",
        json={"version_id": parameters["version_id"]},
        headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},
        timeout=10,
    )


def create_request(parameters: dict, decision: str = "") -> None:
    """Create what the path of a deployment request names: a draft, or for a decision, one that permits it."""

    def send(method: str, path: str, body: dict | None = None, token: str = "DEVELOPER_TOKEN") -> dict:
        headers = {"Authorization": f"Bearer {os.environ[token]}"}
        answer = requests.request(method, os.environ["URL"] + path, json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    body = {"name": "draft", "gate": False, "environment_ids": [os.environ["ENVIRONMENT"]]}
    body |= {"approvals": [{"approval_type": "qa"}], "steps": [{"phase": "pre", "title": "Announce it"}]}
    parameters["id"] = send("POST", REQUESTS[0], body)["id"]
    path = f"{REQUESTS[0]}{parameters['id']}"
    for name, part in (("slot_id", "approvals"), ("step_id", "steps")):
        if name in parameters:
            parameters[name] = send("GET", f"{path}/{part}")["items"][0]["id"]
    if "version_id" in parameters:
        parameters["version_id"] = os.environ["VERSION"]
    if "version_id" in parameters or decision:
        send("POST", f"{path}/versions", {"version_id": os.environ["VERSION"]})
    if decision:
        send("POST", f"{path}/activate")
    if decision == "reset":
        send("POST", f"{path}/approvals/{parameters['slot_id']}/reject", {"activation": 1, "comments": "no"}, "TOKEN")


def is_positive(case) -> bool:
    return case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.method == "DELETE" and case.path_parameters.get("id") in KEPT:
        case.path_parameters["id"] = str(uuid.uuid4())  # needed by later requests
    if not is_positive(case):
        return
    if case.method == "DELETE" and case.operation.path == "/releases/{id}/versions/{version_id}":
        fill_release(case.path_parameters)
    if case.method == "DELETE" and case.operation.path.startswith(REQUESTS[0] + "{id}"):
        create_request(case.path_parameters)
    if case.method == "POST" and case.operation.path.startswith(SLOT):
        create_request(case.path_parameters, case.operation.path.rsplit("/", 1)[1])
    if case.query:
        case.query.pop("cursor", None)  # only cursors of earlier pages are valid
        if "from" in case.query:
            case.query.pop("until", None)  # later than from
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())  # a key belongs to one request
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"  # any revision
    if case.operation.path == RENDER:
        case.path_parameters["id"] = os.environ["TEMPLATE"]
    if case.operation.path == RULE_CALENDAR:
        case.path_parameters["id"] = os.environ["RULE"]  # a schedule
        case.body = CALENDAR  # other texts are no calendars
    if isinstance(case.body, dict):
        fit_body(case.operation.path, case.body)


@schemathesis.hook
def filter_case(context, case):
    """Skip negative events that the server accepts: empty texts for unknown values, numbers for texts, an end with a non-final status."""
    if is_positive(case) or case.operation.path not in EVENTS or not isinstance(case.body, dict):
        return True
    words = case.operation.schema.raw_schema["components"]["schemas"]["EventStatus"]["x-accepted-values"]
    status = case.body.get("status")
    word = status.strip().lower() if isinstance(status, str) else None
    if word != status and any(word in accepted for accepted in words.values()):
        return False
    if word in words["pending"] + words["started"] and "completed_at" in case.body:
        return False
    if any(type(case.body.get(name)) in (int, float) for name in ("build_number", "invoke_id")):
        return False
    skip = case.body.get("skip_preflight_checks")
    if isinstance(skip, str) and skip.strip().lower() in ("", "true", "false"):
        return False
    members = (case.body.get(name) for name in ("environment_name", "environment", "started_at", "completed_at"))
    return all(member.strip() for member in members if isinstance(member, str))
