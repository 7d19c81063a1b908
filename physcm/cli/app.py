"""The commands with their options, and how they end.

Each command is a function `run` in a file of its own, imported when it is called, so that
`physcm --help` need not wait for the numerical libraries.

Exit status: 0 done, 1 the square does not commute, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="physcm",
    help="Physical models in, structural causal models out, and a proof by simulation that the "
    "two agree about interventions.\n\nMODEL is a name from the zoo, with sizes if you like "
    "(coupled_oscillators:masses=8), a .toml file, or an SBML .xml or .sbml file.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Zoo name, .toml or SBML .xml file.")]
Do = Annotated[
    list[str] | None,
    typer.Option(
        "--do",
        metavar='"x=1,y=2"',
        help="Hold variables and set parameters, at numbers or expressions; if given several "
        "times, all of it is done at once.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random draws.")]
Samples = Annotated[int, typer.Option(min=1, help="Number of draws of random values.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: instead of those that the process was called with.
    """
    # Threads only slow down the small matrices here; this must be set before NumPy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow encoding must not end a run
    try:
        app(args=arguments, prog_name="physcm")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}; check the path")
    except MemoryError:
        _fail("not enough memory; ask for fewer samples or points")
    except Exception as error:
        from physcm.mechanism import PhyscmError

        if not isinstance(error, PhyscmError):
            raise
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        import physcm

        print(f"physcm {physcm.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def zoo(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print the model as a TOML file.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--gallery", metavar="FILE", help="Draw all models into a .png, .pdf or .svg."
        ),
    ] = None,
) -> None:
    """List the models that ship, or show one: what it is, its equations, its source."""
    from physcm.cli import gallery, zoo

    if out is not None:
        gallery.run(out)
    else:
        zoo.run(name, toml=toml)


@app.command()
def simulate(
    model: Model,
    until: Annotated[
        float | None,
        typer.Option(metavar="T", help="Last time; unless given, until it has settled."),
    ] = None,
    points: Annotated[int, typer.Option(min=2, help="Number of saved times.")] = 201,
    samples: Samples = 1,
    seed: Seed = 0,
    step: Annotated[
        float | None,
        typer.Option(metavar="H", help="Step, for a system with noise; T/10000 unless given."),
    ] = None,
    do: Do = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write trajectories to .nc, .zarr, .csv or .png.",
        ),
    ] = None,
) -> None:
    """Run a model over time, with interventions if you like."""
    from physcm.cli.simulate import Run, run

    run(model, do or [], out, Run(until, points, samples, seed, step))


@app.command()
def equilibria(model: Model, do: Do = None, seed: Seed = 0) -> None:
    """Find the states of rest of a model and say which are stable."""
    from physcm.cli.equilibria import run

    run(model, do or [], seed)


@app.command()
def abstract(
    model: Model,
    do: Do = None,
    stability: Annotated[
        bool, typer.Option("--stability", help="Say whether it is stable, and on what ground.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the structural equations as JSON.")
    ] = None,
) -> None:
    """Derive the causal model of a model's equilibria, with its graph and causal ordering."""
    from physcm.cli.abstract import run

    run(model, do or [], out, stability=stability)


@app.command()
def verify(
    model: Model,
    do: Annotated[
        list[str] | None,
        typer.Option(
            "--do",
            metavar='"x=1,y=2"',
            help="An intervention to try; give the option once for each. Unless given, each "
            "variable is held in turn at several values around its equilibrium.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the report there as .html, .png, .csv, .txt."),
    ] = None,
    samples: Samples = 1,
    seed: Seed = 0,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference that counts as agreement, relative.")
    ] = 1e-5,
    search: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Look for the worst of N interventions, held variables and parameters at random.",
        ),
    ] = 0,
) -> None:
    """Check that the square commutes: intervene then settle against derive then intervene.

    Exit status 0 if it does, 1 if it does not or if no equilibrium SCM exists.
    """
    from physcm.cli.verify import run

    raise typer.Exit(
        run(model, do or [], out, n=samples, seed=seed, tolerance=tolerance, search=search)
    )


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the pages.")] = Path(
        "out"
    ),
) -> None:
    """Verify four models that show what can happen, and write a page for each."""
    from physcm.cli.demo import run

    raise typer.Exit(run(out))
