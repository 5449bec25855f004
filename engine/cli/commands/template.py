"""`promote template …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json, render, say
from engine.cli.options import AsJson, Tenant
from engine.cli.session import with_store
from engine.errors import ExitCode, InputError

if TYPE_CHECKING:
    from engine.documents.definitions import DefinitionFile
    from engine.model.base import Json
    from engine.model.template import Template
    from engine.store.rows import TemplateRow
    from engine.store.store import Store
    from engine.templates.library import Library
    from engine.templates.plan import Plan

group = typer.Typer(help="Check templates, look at them, and list them.", no_args_is_help=True)

_SUFFIXES = (".yaml", ".yml", ".json")


@group.command("lint")
def lint(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Template and environment files.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check files without a server or a database.

    They may name built-in templates and each other; give those that belong together at once. Exit
    code 2 when anything is wrong.
    """
    from engine.documents.lint import lint as checked

    results = checked(files)
    if as_json:
        out_json(
            {
                "files": [
                    {"file": str(path), "error": None if error is None else str(error)}
                    for path, error in results
                ]
            }
        )
    else:
        for path, error in results:
            if error is None:
                out(f"{path}: ok")
            else:
                say(f"promote: error: {error}")
    if any(error is not None for _, error in results):
        raise typer.Exit(ExitCode.USAGE)


@group.command("plan")
def plan(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME[@VERSION]",
            help="A template file, or a template's name; that of the environment by default.",
            show_default=False,
        ),
    ] = "",
    environment: Annotated[
        str,
        typer.Option(
            "--environment", "-e", help="Plan for this environment, with its parameters and groups."
        ),
    ] = "",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="A value for a parameter; can be given again.",
            show_default=False,
        ),
    ] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show in which order the nodes of a template run, side by side or not, and when they do not.

    A FILE is read without a database, unless --environment is given.
    """
    from engine.cli.parameters import parse_parameters

    given = parse_parameters(param or ())
    if _is_file(what) and not environment:
        planned = _plan_file(Path(what), given)
    else:

        async def read(store: Store) -> Plan:
            return await _plan(store, what, environment, tenant, given)

        planned = with_store(read)
    if as_json:
        out_json(planned)
    else:
        from engine.cli.template_view import plan_view

        render(plan_view(planned))


@group.command("list")
def list_templates(tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List a tenant's templates, all versions of each, the newest first, and the built-in ones."""
    from engine.templates import builtin

    async def read(store: Store) -> list[TemplateRow]:
        from engine.errors import NotFoundError

        try:
            return await store.templates.list(tenant)
        except NotFoundError:
            # A tenant that has applied nothing yet has the built-in ones all the same.
            return []

    rows = with_store(read)
    if as_json:
        built_in = [
            {"name": each.name, "version": each.version, "description": each.description}
            for each in builtin.ALL
        ]
        applied = [
            {
                "name": row.template.name,
                "version": row.template.version,
                "description": row.template.description,
                "digest": row.digest,
                "applied_at": row.applied_at.isoformat(),
            }
            for row in rows
        ]
        out_json({"built_in": built_in, "applied": applied})
    else:
        from engine.cli.template_view import templates_view

        render(templates_view(builtin.ALL, rows))


@group.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A template's name.")],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show a template as it is written, as YAML; the newest version when none is given."""

    async def read(store: Store) -> Template:
        return await _found(store, tenant, name)

    template = with_store(read)
    if as_json:
        out_json(template)
    else:
        from engine.documents.writing import to_yaml

        out(to_yaml(template).rstrip())


def _is_file(what: str) -> bool:
    return what.endswith(_SUFFIXES) or "/" in what


def _plan_file(path: Path, given: dict[str, Json]) -> Plan:
    from engine.documents.definitions import checked, read_definitions
    from engine.templates.library import Library
    from engine.templates.plan import plan

    ((_, template),) = checked(_only_template(path, read_definitions([path]))).templates
    return plan(template, Library([template]), {}, given)


async def _plan(
    store: Store, what: str, environment: str, tenant: str, given: dict[str, Json]
) -> Plan:
    from engine.templates import validate
    from engine.templates.plan import plan

    if not what and not environment:
        remedy = "give a FILE, a NAME or --environment"
        raise InputError("FILE|NAME", "nothing to plan was named", remedy)
    definition = await store.environments.get(tenant, environment) if environment else None
    template, library = await _chosen(store, what, environment, tenant)
    groups = None if definition is None else definition.environment.groups
    validate.check(template, groups, library)
    values = {} if definition is None else definition.environment.parameters
    return plan(template, library, values, given)


async def _chosen(
    store: Store, what: str, environment: str, tenant: str
) -> tuple[Template, Library]:
    """The template that is meant, and those that it includes."""
    from engine.documents.applying import checked_here
    from engine.documents.definitions import read_definitions
    from engine.documents.library import library_of
    from engine.templates.library import included

    if _is_file(what):
        files = _only_template(Path(what), read_definitions([Path(what)]))
        ((owner, template),) = (await checked_here(store, files)).templates
        if owner != tenant:
            problem = f"the file is of the tenant {owner!r}, and the environment of {tenant!r}"
            raise InputError("--tenant", problem, "name the file's tenant")
    elif what:
        template = await _found(store, tenant, what)
    else:
        found = (await store.environments.get(tenant, environment)).environment
        reference = found.template_ref
        template = found.template if reference is None else await _found(store, tenant, reference)
    return template, await library_of(store.templates, tenant, included(template))


def _only_template(path: Path, files: tuple[DefinitionFile, ...]) -> tuple[DefinitionFile, ...]:
    if files[0].template is None:
        remedy = "name a template file, or use: promote template plan --environment NAME"
        raise InputError(str(path), "is an environment file", remedy)
    return files


async def _found(store: Store, tenant: str, name: str) -> Template:
    from engine.documents.library import library_of

    return (await library_of(store.templates, tenant, [name])).find(name)
