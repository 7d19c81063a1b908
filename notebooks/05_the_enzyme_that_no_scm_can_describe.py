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
# # The enzyme that no SCM can describe
#
# Two test tubes, the same enzyme at work with the same rate constants, the same nothing done to
# them; and they come to rest in different states. A structural causal model has one answer for
# both. This notebook shows why, what takes the place of the SCM, and what it can tell: which
# interventions break a conservation law, and where the system rests as a function of where it
# started.

# %% [markdown]
# ## Two tubes
#
# An enzyme E binds a substrate S into a complex C and sets a product P free. S is fed in, P
# drains away. What one tube has more of is enzyme.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

from physcm.abstraction import (
    commutes,
    comparative_statics,
    constraints_model,
    scm_exists,
    structural_stability,
)
from physcm.mechanism import Hold, NoEquilibrium, SetParameter
from physcm.sim import System, settle, simulate, zoo

enzyme = zoo.load("basic_enzyme")
for name, drift in enzyme.drift.items():
    print(f"d{name}/dt = {drift}")

# %%
times = np.linspace(0, 12, 200)
totals = (1.5, 1.875)
figure = Figure(figsize=(7.5, 3), layout="constrained")
for axes, n in zip(figure.subplots(1, 2, sharey=True), totals, strict=True):
    run = simulate(enzyme.do(SetParameter(e0=n - 0.5)), times)
    for name in enzyme.states:
        axes.plot(times, run[name][0], label=name)
    axes.set(title=f"E + C = {n}", xlabel="time")
axes.legend(loc="lower right", ncols=2)
figure

# %% [markdown]
# Complex and product end at the same values, substrate and free enzyme do not. E + C never
# changes: what leaves E enters C. The total is what the tube remembers of its start.

# %% [markdown]
# ## No SCM
#
# `scm_exists` looks for two such runs and says what follows from them.

# %%
print(scm_exists(enzyme))

# %% [markdown]
# The last sentence is the strong part. One could hope to save the SCM by letting it read the
# total n as one more input. But an SCM has one equation per variable, and interventions tell what
# each one is: hold all others and look. With S and C held, E goes to (km1 + k2) C/(k1 S) from
# every start, whatever n was. With S and E held, C says the same thing once more. There is no
# equation left in which n could stand.

# %% [markdown]
# ## Constraints instead
#
# A *causal constraints model* (Blom, Bongers & Mooij, UAI 2019) is a list of constraints, each with
# the interventions that lift it. It has room for a fifth one.

# %%
model = constraints_model(enzyme)
print(model)

# %%
for change in model.law_changes():
    print(change)

# %% [markdown]
# Under any one intervention the active constraints can be solved, here in closed form. Every answer
# has been compared with a simulation before it is printed.

# %%
for held in ({}, {"S": 2}, {"E": 0.3}, {"P": 3}):
    print(", ".join(f"do({name})" for name in held) or "nothing held")
    print(f"{model.do(**held).answer()}\n")

# %% [markdown]
# With nothing held there is a condition: the feed k0 must not be more than the enzyme can turn
# over, k0/k2 < n. The answers against simulations, from many initial states:

# %%
grid = np.linspace(0.75, 3, 10)
fine = np.linspace(0.7, 3, 200)
figure = Figure(figsize=(7.5, 3), layout="constrained")
holds = ({}, {"S": 2.0})
for axes, held in zip(figure.subplots(1, 2), holds, strict=True):
    lines = model.do(**held).solve({"E(0)": fine - 0.5, "C(0)": 0.5})
    ends = settle(enzyme.do(SetParameter(e0=tuple(grid - 0.5)), **held), n=grid.size)
    for place, name in enumerate("SEC"):
        if name not in held:
            axes.plot(fine, lines[name][:, 0], color=f"C{place}", label=name)
            axes.plot(grid, ends[name], "o", color=f"C{place}", markersize=4)
    title = "do(S = 2)" if held else "nothing held"
    axes.set(title=title, xlabel="total E + C at the start", ylim=(0, 4))
    axes.legend()
figure

# %%
report = commutes(
    enzyme, model, [Hold("S", 2), Hold("E", 0.3), Hold("C", 0.4), Hold("P", 3)], starts=4
)
print(report)

# %% [markdown]
# ## The hold that leaves no rest
#
# Holding the complex cuts the loop at a place where nothing can balance the feed any more: S gains
# k0 + km1 c and loses k1 E S, E gains (km1 + k2) c and loses the same. The two agree at c = k0/k2
# alone.

# %%
figure = Figure(figsize=(7.5, 3), layout="constrained")
panels = figure.subplots(1, 2, sharey=True)
for c, style in ((0.6, ":"), (2 / 3, "-"), (0.75, "--")):
    run = simulate(enzyme.do(C="k0/k2" if c == 2 / 3 else c), np.linspace(0, 40, 200))
    for axes, name in zip(panels, "SE", strict=True):
        axes.plot(run.time, run[name][0], style, color="C0", label=f"c = {c:.3g}")
        axes.set(title=name, xlabel="time")
panels[0].legend()
figure

# %%
try:
    model.do(C=0.6).answer()
except NoEquilibrium as error:
    print(error)
print(model.breaks(Hold("C", "k0/k2")))
print(model.do(Hold("C", "k0/k2")).answer().solution["E"])

# %% [markdown]
# At that one value a new law appears: S and E now gain and lose alike, so E - S is conserved, and
# the state of rest depends on the start through another total than before.

# %% [markdown]
# ## How much does each thing matter?
#
# The derivatives of the state of rest, conserved total included. Scaled, as percent per percent,
# they are the control coefficients of biochemistry: C and P do not care how much enzyme there is.

# %%
control = comparative_statics(enzyme).control.isel(equilibrium=0)
control.to_pandas().round(2)

# %% [markdown]
# Is the state that it comes to the only one, and on what does that claim rest? The Routh-Hurwitz
# conditions follow from the signs of the rate constants alone: every state of rest attracts its
# neighborhood, whatever the numbers. That it attracts *all* states is what eight starts suggest.

# %%
print(structural_stability(enzyme, [Hold("S", 2), Hold("C", 0.4)]))

# %% [markdown]
# ## Laws that are not linear
#
# A knife-edge sleigh slides on ice, turning as it goes. It always ends up running straight; its
# energy, a quadratic law, decides how fast.

# %%
sleigh = System(
    {"v": "a*w**2", "w": "-m*a/(I + m*a**2)*v*w"},
    parameters={"a": 0.5, "m": 2, "I": 0.3},
    initial={"v": -1, "w": 0.2},
    name="sleigh",
)
quadratic = constraints_model(sleigh, degree=2)
print(quadratic)
print(quadratic.answer())

# %%
figure = Figure(figsize=(5, 3), layout="constrained")
axes = figure.subplots()
for w in (0.2, 1.0, 2.0):
    run = simulate(sleigh.replace(initial={"v": -1, "w": w}), np.linspace(0, 14, 300))
    axes.plot(run.time, run.v[0], label=f"w(0) = {w}")
    axes.axhline(np.sqrt(1 + 0.4 * w**2), color="0.7", linewidth=0.8, zorder=0)
axes.set(xlabel="time", ylabel="forward speed v", title="The final speed is that of the energy")
axes.legend()
figure
