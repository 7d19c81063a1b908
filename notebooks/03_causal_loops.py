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
# # Causal loops
#
# Supply moves the price and the price moves supply. A predator eats its prey and lives on it.
# Most libraries of causal models refuse such loops. This notebook takes them as they are:
# what a loop means, when it has no solution, one or many, which independences it claims, and
# what a price would have been.

# %% [markdown]
# ## What a loop means
#
# A structural causal model has one labelled equation per variable. In a loop no variable can be
# computed before the others: the equations hold together, as at rest they do in a system that
# the loop describes. Here is a market: demand falls with the price, supply rises with it, and
# the price rests where the two meet.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

from physcm.mechanism import Normal
from physcm.scm import (
    SCM,
    MixedGraph,
    acyclification,
    d_separated,
    plot_graph,
    sigma_separated,
)
from physcm.scm.independence import Kernel, test_separations

market = SCM(
    {
        "demand": "10 - 1.5*price + taste",
        "supply": "2 + 0.5*price + harvest",
        "price": "price + demand - supply",
    },
    exogenous={"taste": Normal(0, 1), "harvest": Normal(0, 1)},
    name="market",
)
print(market)

# %% [markdown]
# The price is in its own equation: nothing but *demand equals supply* determines it. Such a
# self-cycle is part of the graph. Whether the equations of some variables, taken alone, have
# exactly one solution is a question of its own for each set of variables.

# %%
for names in (["price"], ["demand", "price"], ["demand", "supply", "price"]):
    print(", ".join(names), "->", market.is_uniquely_solvable(names))

# %%
plot_graph(market.graph())

# %% [markdown]
# Holding supply cuts its equation, and with it the loop. That is not the same as observing
# supply: where it is held, the harvest has no influence any more.

# %%
free, held = market.sample(20_000, seed=1), market.do(supply=5).sample(20_000, seed=1)
for title, data in (("free", free), ("held", held)):
    correlation = np.corrcoef(data.harvest, data.price)[0, 1]
    print(f"correlation of harvest and price, {title}: {correlation:.2f}")

# %% [markdown]
# ## What the price would have been
#
# Yesterday supply was 4 and the price 3. What would the price have been had 5 been supplied?
# Abduction finds the taste and the harvest of that day, `do` replaces the equation of supply,
# and the rest is solved: p + (s' - s)/b with b = -1.5, the slope of demand.

# %%
seen = {"supply": 4, "price": 3}
imagined = market.counterfactual(seen, supply=5)
print(f"price had supply been 5: {float(imagined.price[0]):.4f}, by hand {3 + (5 - 4) / -1.5:.4f}")

# %% [markdown]
# ## None, one, or many
#
# A loop need not have exactly one solution. x = a x + e has one for a = 0.5. For a = 1 it has
# none (unless e is 0, and then every x is one). These are different answers, and each sample
# says which is its own.

# %%
for text in ("0.5*x + 1", "x + 1", "x"):
    status = SCM({"x": text}).sample(1).status
    meaning = status.attrs["flag_meanings"].split()[int(status[0])]
    print(f"x = {text:10} {meaning}")

# %% [markdown]
# Two genes that repress each other have one state or three, and an intervention on the
# strength decides. `solve` returns all solutions.

# %%
strengths = np.linspace(0.5, 5, 91)
switch = SCM(
    {"u": "a/(1 + v**2)", "v": "a/(1 + u**2)"},
    exogenous={"a": 1},
    domains={"u": (0, 10), "v": (0, 10)},
)
found = switch.solve({"a": strengths})

figure = Figure(figsize=(6, 3.2), layout="constrained")
axes = figure.subplots()
for k in range(found.sizes["solution"]):
    axes.plot(strengths, found.u[:, k], ".", markersize=3, color="C0")
axes.set(xlabel="strength a", ylabel="u", title="Solutions of the switch")
figure

# %%
counts = dict(zip(*np.unique(found["count"], return_counts=True), strict=True))
print({int(n): int(times) for n, times in counts.items()})

# %% [markdown]
# Are these all? Interval arithmetic proves it: `certify` cuts a box until each part is shown to
# hold no solution, or exactly one.

# %%
print(switch.certify({"u": (0, 5), "v": (0, 5)}, exogenous={"a": 3}))

# %% [markdown]
# ## What a loop says about independence
#
# In an acyclic graph d-separation tells which variables are independent. In a loop it does not.
# Take x and y that drive each other, each with a cause of its own.

# %%
loop = MixedGraph([("a", "x"), ("b", "y"), ("x", "y"), ("y", "x")])
print("d-separated given x, y:    ", d_separated(loop, "a", "b", given=["x", "y"]))
print("sigma-separated given x, y:", sigma_separated(loop, "a", "b", given=["x", "y"]))
print("both, given nothing:       ", d_separated(loop, "a", "b"), sigma_separated(loop, "a", "b"))

# %% [markdown]
# d-separation claims that a and b are independent once x and y are known. sigma-separation does
# not: inside a loop, a node that is given blocks nothing. Data of a non-linear loop decide.

# %%
model = SCM(
    {"a": "0.9*tanh(3*e)", "b": "0.9*tanh(3*f)", "x": "a*y + g", "y": "b*x + h"},
    exogenous={name: Normal(0, 1) for name in "efgh"},
    name="two that drive each other",
)
data = model.sample(200, seed=2)
print(test_separations(model.graph(), data, test=Kernel(), sigma=False))

# %%
print(test_separations(model.graph(), data, test=Kernel()))

# %% [markdown]
# ## The same loop without the loop
#
# Every separation claimed in the loop is one in its *acyclification*, an acyclic graph. The
# nodes of the loop have all causes from outside in common, and hidden causes join them.

# %%
print(acyclification(loop))
plot_graph(acyclification(loop))
