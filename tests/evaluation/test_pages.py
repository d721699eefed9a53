"""The pages, as files and as a browser shows them."""

import html
import http.server
import json
import os
import re
import shutil
import subprocess
import urllib.parse

import chromium
import pytest
from helpers import serving, write_pair
from PIL import Image

from pix2pix_tf import images
from pix2pix_tf.evaluation import metrics, pages
from pix2pix_tf.system.errors import Pix2PixError

NAMES = ['1', '10', '<script>alert(1)<', 'a"b\'c&d', 'x % y#?é']
VALUES = {'L1': [0.3, 0.1, 0.5, 0.2, 0.4], 'SSIM': [0.1, 0.9, 0.3, 0.7, 0.5]}
BY_L1 = [1, 3, 0, 4, 2]  # best first
BY_SSIM = [1, 3, 4, 2, 0]


@pytest.fixture
def out(tmp_path):
    """A folder with a gallery of NAMES, and a page of how they developed."""
    for name in NAMES:
        for kind in (*images.KINDS, 100, 2000):
            write_pair(tmp_path / 'images' / images.filename(name, kind), width=16, height=16)
    shutil.copytree(str(tmp_path / 'images'), str(tmp_path / 'development'))
    rows = [
        dict({key: values[i] for key, values in VALUES.items()}, name=name)
        for i, name in enumerate(NAMES)
    ]
    source = {'checkpoint': 'out/<i>model-7', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 1}
    pages.write_gallery(metrics.report(source, rows, {'FID': 12.5}), str(tmp_path), 16)
    pages.write_development(str(tmp_path), 'development', NAMES, [100, 2000], 16)
    return tmp_path


def test_the_page_needs_nothing_from_elsewhere(out):
    for name in ('index.html', 'development.html'):
        page = (out / name).read_text(encoding='utf-8')
        assert (
            re.search('https?://|url\\(|@import|<link(?! rel="icon" href="data:,")', page) is None
        )


def test_names_are_text(out):
    page = (out / 'index.html').read_text(encoding='utf-8')
    headings = re.findall('<h2>([^<]*)</h2>', page)
    assert [html.unescape(heading) for heading in headings] == NAMES
    assert page.count('<script>') == 1
    assert '<i>' not in page


def test_samples_are_shown_beside_the_triplet(tmp_path):
    row = {'name': '1', 'L1': 0.1, 'diversity': 0.02}
    source = {'checkpoint': 'm', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 3}
    pages.write_gallery(metrics.report(source, [row], {}), str(tmp_path), 16)
    page = (tmp_path / 'index.html').read_text(encoding='utf-8')
    shown = re.findall('<img src="images/([^"]*)"', page)
    assert shown == [
        f'1-{kind}.png' for kind in ('inputs', 'outputs', 'targets', 'outputs-2', 'outputs-3')
    ]


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the files of `server.folder`."""

    def translate_path(self, path):
        return os.path.join(self.server.folder, urllib.parse.unquote(path).lstrip('/'))

    def log_message(self, *_):
        pass


SWITCHES = (
    *chromium.HEADLESS,
    '--enable-logging=stderr',
    '--virtual-time-budget=10000',
    '--dump-dom',
)


@pytest.fixture
def browser(out, tmp_path_factory):
    """A function: opens a page of `out` in Chromium and gives (its DOM, its console, screenshot).

    With `script`, the page is shown in a frame of another one, called `page`; what that script
    writes to `said` is found in the DOM.
    """
    browser = chromium.find()
    with serving(Files) as server:
        server.folder = str(out)

        def look(page, script=None, width=1000):
            if script:
                (out / 'look.html').write_text(
                    f'<iframe name="page" src="{page}" width="{width}" height="800"></iframe>'
                    f'<pre id="said"></pre><script>onload = async () => {{ {script} }};</script>',
                    encoding='utf-8',
                )
                page = 'look.html'
            profile = tmp_path_factory.mktemp('profile')
            files = [f'--user-data-dir={profile}', f'--screenshot={profile}/page.png']
            result = subprocess.run(
                [browser, *SWITCHES, *files, f'--window-size={width},800', f'{server.url}/{page}'],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=120,
            )
            assert result.returncode == 0, result.stderr.decode()
            console = [line for line in result.stderr.decode().splitlines() if ':CONSOLE' in line]
            return result.stdout.decode(), console, str(profile / 'page.png')

        yield look


def order(dom):
    names = re.findall('<article data-name="([^"]*)"', dom)
    return [NAMES.index(html.unescape(name)) for name in names]


def said(dom):
    return html.unescape(re.search('<pre id="said">(.*?)</pre>', dom, re.S).group(1))


def test_a_browser_shows_the_gallery_without_errors(browser):
    dom, console, screenshot = browser('index.html')
    assert console == []
    assert order(dom) == [0, 1, 2, 3, 4]
    with Image.open(screenshot) as image:
        colors = image.convert('RGB').getcolors(1000000)
    assert len(colors) > 50  # text and images, not a blank page


@pytest.mark.parametrize(
    'address, want',
    [('L1', BY_L1), ('-L1', BY_L1[::-1]), ('SSIM', BY_SSIM), ('nonsense', [0, 1, 2, 3, 4])],
)
def test_the_address_sorts(browser, address, want):
    dom, console, _ = browser('index.html#' + address)
    assert (order(dom), console) == (want, [])


def test_buttons_sort_and_turn_the_order_round(browser):
    script = """
        const names = () => [...page.document.querySelectorAll('article')].map(a => a.dataset.name);
        const results = [];
        for (const key of ['SSIM', 'SSIM', 'L1', '']) {
          page.document.querySelector(`button[data-key="${key}"]`).click();
          await new Promise(resolve => setTimeout(resolve, 100));
          const pressed = page.document.querySelector('[aria-pressed=true]').dataset.key;
          results.push([pressed, names()]);
        }
        said.textContent = JSON.stringify(results);
    """
    dom, console, _ = browser('index.html', script)
    results = json.loads(said(dom))
    assert console == []
    assert [pressed for pressed, _ in results] == ['SSIM', 'SSIM', 'L1', '']
    orders = [[NAMES.index(name) for name in names] for _, names in results]
    assert orders == [BY_SSIM, BY_SSIM[::-1], BY_L1, [0, 1, 2, 3, 4]]


@pytest.mark.parametrize('page', ['index.html', 'development.html'])
def test_every_image_is_found_and_loaded_lazily(browser, page):
    script = """
        const images = [...page.document.images];
        for (const image of images) image.loading = 'eager';
        await Promise.all(images.map(image => image.decode().catch(() => {})));
        said.textContent = [images.length, images.filter(i => i.naturalWidth === 16).length];
    """
    dom, console, _ = browser(page, script)
    count = len(NAMES) * (3 if page == 'index.html' else 4)
    assert (said(dom), console) == (f'{count},{count}', [])
    source = browser(page)[0]
    assert source.count('<img ') == source.count('loading="lazy"') == count


def test_the_gallery_fits_on_a_phone(browser):
    script = """
        const root = page.document.documentElement;
        said.textContent = [root.clientWidth, root.scrollWidth];
    """
    dom, _, _ = browser('index.html', script, width=375)
    width, content = map(int, said(dom).split(','))
    assert content <= width <= 375


def test_a_page_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'development.html').mkdir()
    with pytest.raises(Pix2PixError) as error:
        pages.write_development(str(tmp_path), 'development', ['1'], [1], 16)
    assert f'cannot write {os.path.join(str(tmp_path), "development.html")}' in str(error.value)
