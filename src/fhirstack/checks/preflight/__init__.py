"""Preflight: every host of an environment against the page, before anything is built on it.

``gather`` looks (the only effects), ``run`` judges what was seen, ``report`` shows it.
"""
