"""The agent: what runs on a host, sent there at every call. Standard library only.

Its modules are sent together in one message and made importable there (see ``program``): nothing
of it is installed on a host. It works with Python 3.10 and newer, as root.
"""
