"""Hooks of MkDocs: the pages of the repository as they are, with links that work on the site."""

import os
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Pages whose place on the site is not that in docs/
PLACES = {
    'README.md': 'index.md',
    'CHANGELOG.md': 'changelog.md',
    'CONTRIBUTING.md': 'contributing.md',
    'SECURITY.md': 'security.md',
    'docs/README.md': 'contents.md',
}
SOURCES = {place: source for source, place in PLACES.items()}

CONTENTS = re.compile(r'\n(?:- \[.*\]\(#.*\)\n)+')
IMAGE = re.compile(r'<img src="(\S+)" width="(\d+)" alt="(.*?)">')
LINK = re.compile(r'\[((?:!\[[^]]*\]\([^)]*\)|[^][])*)\]\(([^)\s]+)\)')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Where the site is published, the page to draw on is in draw/."""
    if config.site_url:
        config.nav.insert(1, {'Draw': f'{config.site_url}draw/'})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the repository that are not in docs/."""
    files.remove(files.get_file_from_path('README.md'))
    for source, place in PLACES.items():
        path = os.path.join(ROOT, source)
        files.append(File.generated(config, place, abs_src_path=path))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads the links of a page to where their targets are on the site, or in the repository."""
    here = page.file.src_uri
    source = SOURCES.get(here, f'docs/{here}')

    def moved(link):
        """The link on the site; None for a file of a repository without an address."""
        path, anchor = re.fullmatch('([^#]*)(.*)', link).groups()
        if not path or re.match('[a-z]+:', path):
            return link
        target = os.path.normpath(os.path.join(os.path.dirname(source), path))
        place = PLACES.get(target, re.sub('^docs/', '', target))
        if files.get_file_from_path(place):
            return os.path.relpath(place, os.path.dirname(here)) + anchor
        if not os.path.exists(os.path.join(ROOT, target)):
            return link  # dead: MkDocs says so
        return config.repo_url and f'{config.repo_url}/blob/main/{target}{anchor}'

    def with_link(match):
        text, link = LINK.sub(with_link, match[1]), moved(match[2])
        return f'[{text}]({link})' if link else text

    markdown = CONTENTS.sub('\n', markdown, count=1)  # the site has its own
    markdown = IMAGE.sub(r'![\3](\1){ width=\2 }', markdown)  # MkDocs sees only links of Markdown
    return LINK.sub(with_link, markdown)
