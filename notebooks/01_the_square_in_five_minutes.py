# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The square in five minutes
#
# A physical model says how things move. A causal model says what happens if you hold something.
# From the first one can derive the second, and then there are two ways to answer *what if*:
#
# ```
#                 intervene
#      system  ---------------->  system under do
#        |                               |
#  derive|                               | let it come to rest
#        v       intervene               v
#   causal model ------------>  the same state?
# ```
#
# **Performing** the intervention: hold the variable in the simulation and wait.
# **Imagining** it: replace an equation in the causal model and solve.
# If both give the same answer for every intervention, the square *commutes*, and the causal
# model may stand for the physical one. This notebook walks round it once.

# %% [markdown]
# ## Simulate
#
# An enzyme E binds a substrate S, which is fed at a constant rate, into a complex C, and
# releases a product P, which decays.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

from physcm.abstraction import commutes, equilibrate, equilibrium_model
from physcm.mechanism import Hold, NoEquilibrium, SetParameter
from physcm.sim import conservation_laws, settle, simulate, zoo

enzyme = zoo.load("basic_enzyme")
for name, drift in enzyme.drift.items():
    print(f"{name}' = {drift}")

# %%
times = np.linspace(0, 12, 200)
free = simulate(enzyme, times)
free

# %% [markdown]
# ## Intervene
#
# `do(S=2)` gives a new system in which S is held at 2 for all time. Every other mechanism is
# untouched and reads that value.

# %%
held = simulate(enzyme.do(S=2), times)

figure = Figure(figsize=(9, 3.2), layout="constrained")
panels = zip(figure.subplots(1, 2), (free, held), ("nothing done", "do(S = 2)"), strict=True)
for axes, run, title in panels:
    for name in "SECP":
        axes.plot(run.time, run[name][0], label=name)
    axes.set(title=title, xlabel="time", ylabel="amount", ylim=(0, 2.6))
axes.legend(ncols=4, loc="upper right")
figure

# %% [markdown]
# Where does it come to rest? `settle` follows the run until its fate is known.

# %%
rest = settle(enzyme.do(S=2))
performed = {name: float(rest[name][0]) for name in "SECP"}
performed

# %% [markdown]
# ## Derive
#
# At rest every drift is zero. Each of these equations belongs to its variable: holding the
# variable lifts the equation. But here the enzyme is conserved, free and bound together:

# %%
print(*conservation_laws(enzyme), sep="\n")

# %% [markdown]
# So where the system comes to rest depends on where it starts, and no structural causal model
# can say that for all interventions. `equilibrate` notices, and returns a *causal constraints
# model*: equations, each with the variables whose hold lifts it.

# %%
model = equilibrate(enzyme)
print(model)

# %% [markdown]
# ## Compare
#
# Imagining the same intervention means to solve the equations that are left.

# %%
solved = model.do(S=2).sample(1)
imagined = {name: float(solved[name][0]) for name in "SECP"}
largest = max(abs(performed[name] - imagined[name]) for name in "SECP")
print(f"performed {performed}\nimagined  {imagined}\nlargest difference {largest:.1e}")

# %% [markdown]
# One intervention proves little. `commutes` takes a family, runs both ways from several initial
# states, and reports. Holding the complex C has no equilibrium at all; both sides must say so.

# %%
family = [Hold("S", 0.5), Hold("S", 2.0), Hold("E", 0.3), Hold("C", 0.2), SetParameter(k0=0.5)]
report = commutes(enzyme, model, family)
print(report)

# %% [markdown]
# ## Look

# %%
report.plot()

# %% [markdown]
# `report.to_html("enzyme.html")` writes the same as a page, with all numbers and equations.
#
# ## When there is no such model
#
# Predator and prey circle for ever. The equations at rest do have a solution, but no run ever
# gets there, and physcm says so instead of returning a model that nothing obeys.

# %%
hunt = zoo.load("lotka_volterra")
try:
    equilibrate(hunt)
except NoEquilibrium as error:
    print(error)

# %% [markdown]
# The report shows which interventions bring it to rest all the same.

# %%
print(commutes(hunt, equilibrium_model(hunt), [Hold("X1", 1.0), Hold("X2", 1.0), Hold("X2", 4.0)]))
