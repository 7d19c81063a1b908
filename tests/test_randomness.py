"""Counter-based draws: known answers, independence of everything else, and uniformity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import key, normals, philox, uniforms

SEEDS = st.integers(min_value=0, max_value=2**200)
SOURCES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)


# The vectors are those of Random123's kat_vectors file; words are given lowest first.
@pytest.mark.parametrize(
    ("counter", "key_words", "block"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_known_answers(counter, key_words, block):
    words = tuple(np.array([int(word, 16)], np.uint64) for word in counter.split())
    low, high = (int(word, 16) for word in key_words.split())
    got = philox(words, low | high << 32)
    assert " ".join(f"{word.item():08x}" for word in got) == block


def test_draws_never_change_between_versions():
    """Stored runs are repeated from their seed, so these numbers are part of the interface."""
    samples = np.array([0, 1, 2**40])
    expected = [0.8814167443119464, 0.7323904459325111, 0.0606495622584059]
    assert uniforms(7, "k", samples, 3).tolist() == expected


@given(SEEDS, SOURCES, st.lists(NUMBERS, min_size=1, max_size=30), NUMBERS)
def test_a_draw_depends_on_its_own_sample_only(seed, source, samples, step):
    together = normals(seed, source, np.array(samples), step)
    alone = [normals(seed, source, np.array([sample]), step)[0] for sample in samples]
    assert together.tolist() == alone


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 50))
def test_chunks_are_bit_identical_to_the_whole(n, more, size):
    whole = uniforms(0, "x", np.arange(n + more), 5)
    chunks = [
        uniforms(0, "x", np.arange(start, min(start + size, n)), 5) for start in range(0, n, size)
    ]
    assert np.concatenate(chunks).tobytes() == whole[:n].tobytes()


def test_samples_and_steps_broadcast():
    samples, steps = np.arange(5), np.arange(3)
    grid = normals(1, "x", samples[:, np.newaxis], steps)
    assert grid.shape == (5, 3)
    for step in steps:
        assert grid[:, step].tolist() == normals(1, "x", samples, int(step)).tolist()


def test_samples_of_any_layout_and_integer_type_give_the_same_draws():
    samples = np.arange(100)
    expected = normals(1, "x", samples)
    assert normals(1, "x", np.repeat(samples, 2)[::2]).tobytes() == expected.tobytes()
    assert normals(1, "x", samples.astype(np.uint8)).tobytes() == expected.tobytes()


@given(SEEDS, SEEDS, SOURCES, SOURCES)
def test_other_seeds_and_sources_have_other_draws(seed, other_seed, source, other_source):
    first = uniforms(seed, source, np.arange(4))
    second = uniforms(other_seed, other_source, np.arange(4))
    assert (first == second).all() == ((seed, source) == (other_seed, other_source))


def test_seed_and_source_do_not_run_into_each_other():
    pairs = [(0x1, "2:x"), (0x12, ":x"), (0x12, "x"), (0x1, "2x"), (0x1, "x")]
    assert len({key(seed, source) for seed, source in pairs}) == len(pairs)


def test_samples_and_steps_are_not_interchangeable():
    assert uniforms(0, "x", np.array([3]), 5) != uniforms(0, "x", np.array([5]), 3)
    high = uniforms(0, "x", np.array([2**32]), 0)
    assert high != uniforms(0, "x", np.array([0]), 0)
    assert high != uniforms(0, "x", np.array([0]), 1)


def test_seeds_of_any_size_are_accepted():
    huge = uniforms(10**5000, "x", np.arange(2))
    assert (huge != uniforms(10**5000 + 1, "x", np.arange(2))).all()
    assert key(np.int64(5), "x") == key(5, "x")


def test_draws_are_odd_multiples_of_two_to_the_minus_53():
    scaled = uniforms(0, "x", np.arange(10_000)) * 2.0**53
    assert (scaled % 2 == 1).all()


def test_the_extreme_draws_are_inside_the_unit_interval(monkeypatch):
    ones = np.array([0xFFFFFFFF], np.uint64)
    for words, expected in [(ones, 1 - 2.0**-53), (ones * 0, 2.0**-53)]:
        monkeypatch.setattr(
            "physcm.mechanism.randomness.philox", lambda *_, words=words: (words,) * 4
        )
        assert uniforms(0, "x", np.arange(1)).tolist() == [expected]
        assert np.isfinite(normals(0, "x", np.arange(1))).all()


@pytest.mark.parametrize("over", ["samples", "steps", "sources", "seeds"])
def test_draws_are_uniform_and_uncorrelated_over(over):
    n = 2_000
    draws = {
        "samples": lambda: uniforms(0, "x", np.arange(n)),
        "steps": lambda: uniforms(0, "x", np.array([0]), np.arange(n)),
        "sources": lambda: np.array([uniforms(0, f"x{i}", np.array([0]))[0] for i in range(n)]),
        "seeds": lambda: np.array([uniforms(i, "x", np.array([0]))[0] for i in range(n)]),
    }[over]()
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 4 / np.sqrt(n)


def test_normals_are_standard_normal():
    assert stats.kstest(normals(0, "x", np.arange(20_000)), "norm").pvalue > 1e-3


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True])
def test_a_seed_that_is_no_natural_number_is_refused(seed):
    with pytest.raises(InvalidValue, match=rf"the seed `{seed}` is not valid; give an integer"):
        uniforms(seed, "x", np.arange(1))


@pytest.mark.parametrize(
    ("samples", "step", "message"),
    [
        (np.array([0.5]), 0, "`samples` is of type `float64`; give 64-bit integers"),
        (np.array([True]), 0, "`samples` is of type `bool`; give 64-bit integers"),
        (np.arange(2), 0.5, "`step` is of type `float64`; give 64-bit integers"),
        (np.arange(2), 2**64, "`step` is of type `object`; give 64-bit integers"),
    ],
)
def test_samples_and_steps_that_are_no_integers_are_refused(samples, step, message):
    with pytest.raises(InvalidValue, match=message):
        uniforms(0, "x", samples, step)
