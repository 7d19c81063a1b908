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
# # Planning an intervention
#
# A causal model answers at once what a simulator answers slowly: where does the system rest if we
# do this? So we search in the model, through as many interventions as we like, for the cheapest
# one that does what we want. Then we perform it in the simulator before anybody performs it in
# the world, because a model of states of rest says nothing of the way there.
#
# Three systems: one where the plan works, one where it breaks something on the way, and one where
# what is imagined is a state of rest that no run will ever come to.

# %% [markdown]
# ## A plan that works
#
# In a chemostat bacteria X live on a substrate S that flows in at the concentration S_in, all at
# the dilution rate D. We want much yield and clean water: X at least 5.5, S at most 0.8. The
# medium can be made richer, and the flow changed, at a price per unit of change.

# %%
# %matplotlib inline
from physcm.abstraction import Action, equilibrium_model, plan
from physcm.mechanism import LogNormal, SetParameter
from physcm.sim import zoo

chemostat = zoo.load("chemostat")
model = equilibrium_model(chemostat)
print(model)

# %% [markdown]
# A richer medium alone does not do it, and the answer names the condition that stands in the way.
# The bacteria eat whatever is added: S is perfectly adapted to S_in.

# %%
medium, flow = Action("S_in", (5, 30)), Action("D", (0.05, 0.9))
print(plan(model, "X >= 5.5 and S <= 0.8", [medium]))

# %% [markdown]
# With both there is a plan. By hand: S = K D/(mu_max - D) at rest and X = Y (S_in - S), so that
# the slowest flow lowers S the most, and saves more on the medium than it costs.

# %%
plans = plan(model, "X >= 5.5 and S <= 0.8", [medium, flow])
print(plans)
print(f"by hand: S_in = {11 + 2 * 0.05 / (1 - 0.05):.4f}")

# %% [markdown]
# Now in the plant, from where it rests today. Constraints are what must not happen on the way.

# %%
done = plans.best.check(chemostat, "S < 1")
print(done)

# %%
done.plot()

# %% [markdown]
# ## A plan that arrives, and breaks something on the way
#
# The bathtub stands at a depth of 12, and we want 8. The cheapest way is a wider drain. But the
# pipe below takes 6, and the outflow is 5 at rest *whatever the drain*: in the model the plan
# cannot possibly overflow.

# %%
bathtub = zoo.load("filling_bathtub")
drain, tap = Action("U_K", (0.1, 3)), Action("U_I", (1, 8))
plans = plan(equilibrium_model(bathtub), "D <= 8", [drain, tap], most=1)
print(plans)
done = plans.best.check(bathtub, "O < 6")
print(done)

# %%
done.plot()

# %% [markdown]
# The outflow adapts perfectly, in the long run; in the first minutes the whole column of water
# pushes through the wider drain. That is what the model could not see. The dearer plan is to
# turn down the tap, and it is the one to take.

# %%
print(plans[1].check(bathtub, "O < 6"))

# %% [markdown]
# If we do not know the plant exactly, we ask for a share of plants in which the target has to be
# met. How many do meet it is told by fresh draws.

# %%
uncertain = bathtub.replace(parameters={**bathtub.parameters, "U5": LogNormal(-1.2, 0.1)})
plans = plan(equilibrium_model(uncertain), "D <= 8", [tap], probability=0.9)
print(plans)
print(plans.best.check(uncertain, "O < 6"))

# %% [markdown]
# ## A plan that fails, safely
#
# A resting neuron (FitzHugh and Nagumo's) is to be held half depolarized, at a voltage between
# -0.5 and 0, by a steady current I. The equations at rest, taken alone, say which current does it.

# %%
neuron = zoo.load("fitzhugh_nagumo").do(SetParameter(I=0))
model = equilibrium_model(neuron)
current = Action("I", (0, 3))
naive = model.replace(dynamics=None)
plans = plan(naive, "-0.5 <= v <= 0", [current])
print(plans)

# %%
done = plans.best.check(neuron, "v < 1")
print(done)

# %%
done.plot()

# %% [markdown]
# The state of rest exists and repels: the neuron fires. Nothing was harmed, since this was a
# simulation. The model could have known: derived from the system it keeps the dynamics, and with
# these only stable states of rest count. Now the answer is that there is no such current, and
# how near one comes: to the Hopf points at v = ±sqrt(1 - b phi).

# %%
print(plan(model, "-0.5 <= v <= 0", [current]))
print(f"Hopf points: ±{(1 - 0.8 * 0.08) ** 0.5:.6f}")

# %% [markdown]
# Is there another way? A drug that makes the recovery faster raises phi. We ask for a margin as
# well: the trace 1 - v² - b phi of the Jacobian is to be at most -0.2, and not just negative.

# %%
drug = Action("phi", (0.08, 2))
plans = plan(model, "-0.5 <= v <= 0 and 1 - v**2 - b*phi <= -0.2", [current, drug])
print(plans)
print(f"by hand: phi = {(1 - 0.25 + 0.2) / 0.8:.4f}")

# %%
done = plans.best.check(neuron, "v < 1")
print(done)

# %%
done.plot()
