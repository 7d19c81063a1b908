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
# # One neuron, every intervention
#
# What can be done to a system while it runs? Here a noisy FitzHugh-Nagumo neuron goes through all
# of it: held, pushed, silenced, rewired, kicked, and watched until it fires. Beside each run goes
# its unharmed twin: the same neuron with the same noise, to which nothing was done. Before the
# intervention the two are the same, and what differs afterwards is its effect.

# %%
# %matplotlib inline
import numpy as np
from matplotlib.figure import Figure

from physcm.mechanism import (
    Hold,
    Impulse,
    Intervention,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    When,
)
from physcm.sim import System, simulate
from physcm.sim.abduction import counterfactual

neuron = System(
    {"v": "v - v**3/3 - w + current", "w": "(v + a - b*w)/tau"},
    parameters={"a": 0.7, "b": 0.8, "tau": 12.5, "current": 0.2},
    initial={"v": -1.2, "w": -0.6},
    noise={"v": 0.15},
    algebraic={"firing": "where(v > 1, 1, 0)"},
    name="FitzHugh-Nagumo neuron",
    source="FitzHugh, Biophysical Journal 1, 1961",
)
times = np.linspace(0, 120, 1201)
options = {"step": 0.1, "seed": 4, "engine": "sra1"}
twin = simulate(neuron, times, **options)

# %% [markdown]
# ## A gallery
#
# Each intervention is a value. It acts for ever, `during` a window, `at` a time, or `When`
# something happens. The window here is t = 40 to 80, in gray.

# %%
window = (40, 80)
gallery: dict[str, Intervention] = {
    "hold the voltage": Hold("v", -1.0, during=window),
    "hold it along a trajectory": Hold("v", "sin(t/4)", during=window),
    "hold the recovery at a function": Hold("w", "v/2", during=window),
    "shift: more current": Shift("v", 0.4, during=window),
    "no noise": ScaleNoise("v", 0, during=window),
    "another mechanism": Replace("w", "(v - w)/4", during=window),
    "another parameter": SetParameter(tau=3, during=window),
    "one impulse": Impulse("v", 2.5, at=40),
    "when it fires, an impulse down": When("v > 1", Impulse("v", -2), rearm=1),
}


def beside_its_twin(axes, title, intervention):
    run = simulate(neuron.do(intervention), times, **options)
    axes.plot(times, twin.v[0], color="0.75", lw=1)
    axes.plot(times, run.v[0], lw=1)
    if "when" not in title and "one" not in title:
        axes.axvspan(*window, color="0.95", zorder=-1)
    axes.set_title(title, fontsize=9)
    return run


figure = Figure(figsize=(9, 7), layout="constrained")
panels = figure.subplots(3, 3, sharex=True, sharey=True)
runs = {
    title: beside_its_twin(axes, title, intervention)
    for axes, (title, intervention) in zip(panels.flat, gallery.items(), strict=True)
}
figure.supxlabel("time")
figure.supylabel("voltage v (gray: the twin)")
figure

# %% [markdown]
# Until t = 40 a run and its twin agree to the last bit, because noise belongs to (seed, sample,
# step, source) and to nothing else.

# %%
early = times < 40
timed = {title: run for title, run in runs.items() if "when" not in title}
{title: bool((run.v[0, early] == twin.v[0, early]).all()) for title, run in timed.items()}

# %% [markdown]
# ## The instant itself
#
# What is saved at an instant is the value afterwards. The value before is kept as well.

# %%
kick = runs["one impulse"]
print(f"at t = {float(kick.instant_time[0, 0])}:", end=" ")
print(f"v from {float(kick['before(v)'][0, 0]):.3f} to {float(kick['after(v)'][0, 0]):.3f}")

# %% [markdown]
# Triggers are located on the path, not on the grid: here v is at 1 when it is pushed back.

# %%
pushed = runs["when it fires, an impulse down"]
pushed["before(v)"].values.round(3), pushed.instant_time.values.round(3)

# %% [markdown]
# ## Order
#
# Interventions are done in the order given. Of two holds the later wins while both act, and the
# earlier has the variable back afterwards.

# %%
both = neuron.do(Hold("v", 0, during=(20, 100)), Hold("v", 1.5, during=(50, 60)))
simulate(both, [30, 40, 50, 55, 60, 90], **options).v.values

# %% [markdown]
# ## What would have happened?
#
# So far the seed gave us the twin. For a recording from outside there is no seed; but where noise
# is additive, the recording gives the noise away. `counterfactual` recovers it and runs the same
# history again under an intervention. Doing nothing gives the recording back.

# %%
recording = simulate(neuron, times, step=0.1, seed=11, engine="euler-maruyama")
again = counterfactual(neuron, recording)
imagined = counterfactual(neuron, recording, SetParameter(current=0.45, during=window))
print("largest difference when nothing is done:", float(abs(again.v - recording.v).max()))

figure = Figure(figsize=(9, 2.6), layout="constrained")
axes = figure.subplots()
axes.plot(times, recording.v[0], color="0.75", label="recorded")
axes.plot(times, imagined.v[0], label="had the current been 0.45 from t = 40 to 80")
axes.legend(loc="lower right", fontsize=8)
axes.set(xlabel="time", ylabel="voltage v")
figure
