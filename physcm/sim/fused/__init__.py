"""The fast engine: ensembles in blocks of samples, by machine code made for the system.

What a system says (its drift, noise, Jacobian) is compiled by `physcm.mechanism.lanes`; how
to step it is code of the same kind, written once for all systems; Numba kernels keep the books
of which sample is where, and threads share the samples.
"""
