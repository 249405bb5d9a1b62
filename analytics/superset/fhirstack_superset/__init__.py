"""What fhirstack adds to Superset: login by Keycloak alone, and a set-up program."""
