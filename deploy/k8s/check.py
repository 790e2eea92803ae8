"""Checks the manifests against Kubernetes' own schemas: `make k8s` or `.ci/run` runs it."""
import sys

import kubernetes_validate
import yaml


def items(document):
    return document["items"] if document["kind"] == "List" else [document]


version = kubernetes_validate.latest_version()
for path in sys.argv[1:]:
    with open(path) as file:
        for document in yaml.safe_load_all(file):
            for item in items(document):
                kubernetes_validate.validate(item, version, strict=True)
                print(f"ok {item['kind']} {item['metadata']['name']} (Kubernetes {version})")
