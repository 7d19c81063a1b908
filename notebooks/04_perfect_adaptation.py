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
# # Perfect adaptation
#
# Close the drain of a bathtub halfway while the tap runs. Less water flows out, at first. The level
# rises until the pressure makes up for the smaller hole, and in the end as much flows out as
# flows in: as much as before. Outflow answers to the drain for a while and not at equilibrium.
#
# Whoever reads cause and effect off the differential equations is told that the drain moves the
# outflow. *Causal ordering* reads it off the equations at rest, and is right. This notebook shows
# how, why an intervention at rest has to name the equation that it replaces, and how to find
# every variable of a system that adapts.

# %% [markdown]
# ## Over time and at rest

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

from physcm.abstraction import causal_ordering, input_effects
from physcm.abstraction.ordering import plot_bipartite
from physcm.mechanism import Infeasible, LogNormal, NotUnique, SetParameter
from physcm.scm import d_separated, latent_projection
from physcm.scm.independence import test_separations
from physcm.sim import settle, simulate, steady_states, zoo

bathtub = zoo.load("filling_bathtub")
for name, drift in bathtub.drift.items():
    print(f"{name}' = {drift}")

# %%
rest = settle(bathtub)
at_rest = bathtub.replace(initial={name: float(rest[name][0]) for name in bathtub.states})
times = np.linspace(0, 400, 801)
run = simulate(at_rest.do(SetParameter(U_K=0.35, during=(50, 1000))), times)

figure = Figure(figsize=(7, 2.6), layout="constrained")
for axes, name, title in zip(
    figure.subplots(1, 3), "KOD", ("drain K", "outflow O", "depth D"), strict=True
):
    axes.plot(times, run[name][0])
    axes.set(title=title, xlabel="time")
    axes.set_ylim(0, 1.15 * float(run[name].max()))
figure

# %% [markdown]
# The drain is closed by half at time 50. Outflow drops and comes back; depth does not.
#
# ## Who determines whom
#
# At rest every equation is 0 = 0' with a label: `f_D`, the balance of water, says I = O. The
# depth D has gone from its own equation. So D cannot be what that equation determines; O is.
# A perfect matching gives every equation a variable of its own (thick lines).

# %%
ordering = causal_ordering(bathtub)
plot_bipartite(ordering.structure)

# %% [markdown]
# A matched variable is an effect of the other variables in its equation. What has to be solved
# together makes a cluster; here each cluster has one equation. The result does not depend on the
# matching.

# %%
print(ordering)
ordering.plot()

# %% [markdown]
# A change of an equation changes what comes after it, and nothing else:

# %%
for cause in ("U_I", "U_K", "f_D", "f_P"):
    print(f"{cause} has effects on {', '.join(ordering.effects(cause))}")

# %% [markdown]
# Solved in this order the equations are a model that runs.

# %%
model = ordering.scm()
print(model)
print({name: round(float(model.sample(1)[name][0]), 4) for name in "OPD"})

# %% [markdown]
# ## Which equation does an intervention replace?
#
# With Torricelli's law for the drain there are three equations and no doubt about the physics. What
# does it mean to hold the pressure? One can give up the balance of water, or the law of the
# drain. These are two experiments, with two answers.

# %%
tub = causal_ordering(
    {"f1": "I - O", "f2": "K*sqrt(P) - O", "f3": "g*D - P"},
    parameters={"I": 5, "K": 0.7, "g": 9.8},
    bounds={name: (0, np.inf) for name in "DPO"},
)
for equation in ("f1", "f2"):
    held = tub.do(equation, P=30).scm().sample(1)
    print(f"do({equation} : P = 30):", {name: round(float(held[name][0]), 3) for name in "DPO"})

# %% [markdown]
# So do(P = 30) alone is refused, with the choices. Nor can every equation be replaced by every
# hold: what is left must determine the other variables.

# %%
try:
    tub.do(P=30)
except NotUnique as error:
    print(error)
try:
    tub.do("f3", O=2)
except Infeasible as error:
    print(error)

# %% [markdown]
# Holding the depth in the place of the balance of water turns the order around: D -> P -> O.

# %%
turned = tub.do("f1", D=4)
print(turned.scm())
turned.plot()

# %% [markdown]
# ## Equations that say less than they seem to
#
# In a viral infection, infected cells I and the immune response E stand as factors in their own
# equations. With E not 0, the response is at rest where a I = dE: its balance determines the
# infected cells, and E is not even in it. The ordering says what it assumed.

# %%
infection = causal_ordering(zoo.load("viral_infection"))
print(infection)

# %% [markdown]
# The other branch, where the virus has died out:

# %%
print(causal_ordering(zoo.load("viral_infection"), zero=["I", "E"]))

# %% [markdown]
# In the basic enzyme reaction one equation follows from another, and a conserved total is an
# equation in its place. There the product S E cancels between two equations: the total of enzyme
# moves neither the complex C nor the product P, though their positions say that it could.

# %%
enzyme = causal_ordering(zoo.load("basic_enzyme"))
print("\n".join(enzyme.notes))
print([pair for pair in enzyme.cancelled if pair[0] == "e0"])

# %% [markdown]
# ## Every adaptation, predicted and seen
#
# `input_effects` changes every parameter and every equation of a system at rest by one percent and
# compares what the ordering predicts with simulations: how far each variable went, and where it
# came to rest.

# %%
for name in ("filling_bathtub", "viral_infection", "basic_enzyme", "four_tanks"):
    print(f"{name}: {input_effects(zoo.load(name))}\n")

# %% [markdown]
# The supply of target cells s moves the infected cells for a while. Widening the drain of an upper
# tank moves the level below it for a while. Neither is left at rest.

# %% [markdown]
# ## What is independent of what
#
# With random inputs the ordering says which variables are independent at rest. Outflow and drain
# are, and given the pressure they are not; outflow and depth are independent given pressure.
# Simulated equilibria agree.

# %%
random = {
    name: LogNormal(np.log(value), 0.05) for name, value in bathtub.parameters.items() if value
}
uncertain = bathtub.replace(parameters={**bathtub.parameters, **random})
graph = causal_ordering(uncertain).markov_ordering()
print("O and K:", d_separated(graph, "O", "K"), "given P:", d_separated(graph, "O", "K", given="P"))

seen = latent_projection(graph, [*random.keys() & {*graph.nodes}, "I"])  # O is a copy of I
data = np.log(steady_states(uncertain, n=500)[list(seen.nodes)])
print(test_separations(seen, data, sigma=False))
