"""A test bed of real hosts on one machine: what `lab/up` and its sisters are made of."""
