"""Where the load balancer finds services of the cluster: one fixed port on every worker each."""

from collections.abc import Mapping

NODE_PORTS: Mapping[str, int] = {
    "fhir-gateway": 30080,
    "keycloak": 30081,
    "fhir-web": 30082,
    "superset": 30083,
    "airbyte": 30084,
}
"""By the service's name. The range 30000-32767 is Kubernetes' and the firewall matrix's."""
