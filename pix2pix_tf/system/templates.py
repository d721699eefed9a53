"""HTML pages from the templates of a package."""

import typing

import jinja2

from pix2pix_tf.system.console import count


def render(package: str, name: str, **values: typing.Any) -> bytes:
    """The page that the template `name` of `package` makes of `values`, which are escaped.

    A value that is missing is an error. File names that are not UTF-8 show a question mark; as
    links they keep working.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals['count'] = count
    return environment.get_template(name).render(**values).encode('utf-8', 'replace')
