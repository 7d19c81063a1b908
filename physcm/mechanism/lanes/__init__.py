"""Expressions as machine code over many samples at once: the target of the fast engine.

`vectors` writes LLVM instructions on eight samples side by side, `elementary` functions of them
(exp, log, sin, power, ...), `expressions` and `module` programs, `blocks` loops over rows of
samples, `normals` the noise. `tracing` runs functions that are written for NumPy on lanes, for
`draws` from distributions and for `formulas`, whose rows are NumPy's to the last bit.
`compiler` turns text into machine code and keeps it on disk, `native` calls it from kernels,
and `pool` shares work out among threads.
"""
