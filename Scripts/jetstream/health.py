"""What the nodes say of themselves, over HTTP."""

import json
import urllib.error
import urllib.request

# Everything here is on this machine: a proxy that the environment names would only be in the way.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _ask(node, path, seconds=1.0):
    """The answer, also where it says that something is wrong; nothing where there is none."""
    try:
        with _opener.open(f"http://127.0.0.1:{node['monitor']}{path}", timeout=seconds) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return json.load(error)
        except (OSError, ValueError):
            return {}
    except (OSError, ValueError):
        return None


def answers(node):
    return _ask(node, "/varz") is not None


def complaint(node):
    """What is wrong with this node; nothing where it is healthy."""
    answer = _ask(node, "/healthz")
    if answer is None:
        return "does not answer"
    if answer.get("status") == "ok":
        return None
    return answer.get("error") or answer.get("status") or "is not healthy"


def is_whole(nodes):
    """Whether these nodes have a leader that hears from each of the others."""
    for node in nodes:
        meta = (_ask(node, "/jsz") or {}).get("meta_cluster") or {}
        if meta.get("leader") == node["name"]:
            heard = {peer["name"] for peer in meta.get("replicas") or [] if not peer.get("offline") and peer.get("current")}
            return all(other is node or other["name"] in heard for other in nodes)
    return False


def leads_all(node):
    """Whether it leads the group that decides where streams are."""
    return ((_ask(node, "/jsz") or {}).get("meta_cluster") or {}).get("leader") == node["name"]


def leads(node, stream):
    """Whether this node says of itself that it leads the stream."""
    detail = _detail(node, stream)
    if detail is None:
        return False
    # A server that is no cluster has no leaders: it leads what it has.
    return "cluster" not in detail or detail["cluster"].get("leader") == node["name"]


def held(node, stream):
    """How many records of the stream this node has itself, and their bytes; nothing where it has none of it."""
    detail = _detail(node, stream)
    return detail and (detail["state"]["messages"], detail["state"]["bytes"])


def _detail(node, stream):
    report = _ask(node, "/jsz?accounts=true&streams=true") or {}
    for account in report.get("account_details") or []:
        for detail in account.get("stream_detail") or []:
            if detail.get("name") == stream:
                return detail
    return None
