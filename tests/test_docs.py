"""The docs keep their promises: links lead somewhere, targets and flags exist."""

import glob
import os
import re

import pytest
from support.helpers import ROOT

from pix2pix_tf.cli import common, main, reference
from pix2pix_tf.pairs import download

PAGES = sorted(
    os.path.relpath(path, ROOT)
    for pattern in ('*.md', 'docs/*.md', '.github/*.md', '.github/*/*.md')
    for path in glob.glob(os.path.join(ROOT, pattern))
)


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        return file.read()


def code_in(page):
    """The code blocks and code spans of a page."""
    text = read(page)
    blocks = re.findall(r'```.*?\n(.*?)```', text, re.S)
    return '\n'.join(
        blocks + re.findall(r'`([^`\n]+)`', re.sub(r'```.*?```', '', text, flags=re.S))
    )


def anchors(page):
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r'(?m)^#+ (.*)$', re.sub(r'```.*?```', '', read(page), flags=re.S))
    return {re.sub(r'[^\w -]', '', h.lower()).replace(' ', '-') for h in headings}


def test_there_are_pages():
    assert {'README.md', 'docs/README.md', 'docs/the-post.md', 'CONTRIBUTING.md'} <= set(PAGES)


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', read(page)):
        if re.match('https?:|mailto:', link):
            continue
        path, _, anchor = link.partition('#')
        target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(ROOT, target)), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize('page', PAGES)
def test_make_targets_exist(page):
    [phony] = re.findall(r'(?m)^\.PHONY:((?:.*\\\n)*.*)', read('Makefile'))
    targets = set(phony.replace('\\', ' ').split())
    for target in re.findall(r'\bmake ([a-z][a-z-]*)\b', code_in(page)):
        assert target in targets


def known_flags():
    commands = [main.module_of(name) for name in main.COMMANDS]
    flags = {flag.name for command in commands for flag in common.flags_of(command)}
    for script in ('bench/run.py', 'bench/reproduce.py'):
        flags.update(re.findall(r"add_argument\(\s*'--(\w+)'", read(script)))
    return flags | {'help', 'rm', 'gpus'}  # the last two are Docker's


@pytest.mark.parametrize('page', [page for page in PAGES if page != 'CHANGELOG.md'])
def test_flags_exist(page):
    flags = known_flags()
    for flag in re.findall(r'(?<![\w-])--(\w+)', code_in(page)):
        assert flag in flags


def test_the_reference_is_that_of_the_table_of_options():
    assert read('docs/reference.md') == reference.page()


@pytest.mark.parametrize('name', main.COMMANDS)
def test_the_reference_has_every_flag_of_help(name):
    shown = re.findall(r'(?m)^  --(\w+):', main.help_text(main.module_of(name)))
    assert len(shown) == len(set(shown)) > 0
    page = read('docs/reference.md')
    for flag in shown:
        assert f'| `--{flag}` |' in page or f'| `{flag}` |' in page


def test_the_readme_is_one_page():
    assert len(read('README.md').splitlines()) <= 120


def test_the_readme_shows_the_page_and_pictures_before_the_post():
    text = read('README.md')
    first = text.split('\n\n')[1]
    assert first.startswith('pix2pix learns from pairs of images')
    assert 'docs/images/serve.jpg' in text.split('\n## ')[0]
    assert re.findall('(?m)^## (.*)$', text).index('The post') > 3


def test_the_readme_lists_every_dataset_with_its_number_and_size():
    rows = dict(re.findall('(?m)^[|] `(\\w+)` [|](.*)$', read('README.md')))
    for name in download.NAMES:
        _, number, size, _ = (cell.strip() for cell in rows[name].rstrip('|').split('|'))
        assert re.fullmatch('[0-9,]+', number)
        assert re.fullmatch('[0-9.]+ [MG]B', size) or name == download.DRAWN


def test_the_citation_is_that_of_citation_cff():
    [entry] = re.findall('```bibtex\n(.*?)```', read('README.md'), re.S)
    cited = read('CITATION.cff').split('references:')[1]
    families = re.findall('family-names: (.*)', cited)
    given = re.findall('given-names: (.*)', cited)
    authors = ' and '.join(f'{last}, {first}' for last, first in zip(families, given))
    for value in (authors, *re.findall('(?:title|year): (.*)', cited)[:2]):
        assert '{' + value + '}' in entry
