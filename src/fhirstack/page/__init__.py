"""The page "Infrastructure setup" as data: requirements, machines, firewall flows, checks."""
