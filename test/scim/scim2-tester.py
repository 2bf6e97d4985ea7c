"""
Runs the independent scim2-tester against a server: python test/scim/scim2-tester.py <base URL> <token>
Needs `pip install scim2-tester 'scim2-client[httpx2]'`. Makes users and groups there, and removes them. Looks for its own on first pages: give its client a `provisioning_domain` of its own.
"""

import collections
import sys

import httpx2
import scim2_tester.filling
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

base, token = sys.argv[1:]

# It takes any choice for any other. A state follows from the one before; and who is stopped is not active.
anything = scim2_tester.filling.get_random_example_value


def possible(path):
    name = str(path)
    if name.endswith(":state"):
        return "Active"
    return True if name.split(":")[-1] == "active" else anything(path)


scim2_tester.filling.get_random_example_value = possible

# What it holds against answers that are right.
KNOWN = (
    # It compares what it sent with what it gets, and did not send what is read only.
    "'members' was not added or has unexpected value",
    "'members' was not replaced or has unexpected value",
    "unexpected value for 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User'",
    # What the server always has a value for goes back to it.
    "did not remove attribute 'active'",
    "did not remove attribute 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User'",
    "did not remove attribute 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User:state'",
    # `add` to a list that has a value adds another.
    "PATCH modify() returned unexpected value for 'urn:ietf:params:scim:schemas:extension:cardea:2.0:User:",
)

http = httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60)
counts = collections.Counter()
for result in check_server(SyncSCIMClient(http)):
    is_known = result.status.name == "ERROR" and any(text in (result.reason or "") for text in KNOWN)
    counts["KNOWN" if is_known else result.status.name] += 1
    if result.status.name not in ("SUCCESS", "SKIPPED"):
        told = "known" if is_known else result.status.name
        print(f"{told}: {result.title} ({result.resource_type}): {str(result.reason)[:600]}")
print(dict(counts))
sys.exit(1 if counts["ERROR"] or counts["CRITICAL"] else 0)
