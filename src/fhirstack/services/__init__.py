"""The platform's services: adding one touches its own module and the list in ``catalogue``."""
