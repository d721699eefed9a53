"""The pages, as files and as a browser shows them."""

import html
import json
import os
import re
import shutil

import pytest
from PIL import Image
from support import chromium
from support.helpers import serving, write_pair

from pix2pix_tf import images, options_file
from pix2pix_tf.config import Config
from pix2pix_tf.evaluation import pages
from pix2pix_tf.evaluation.report import report_on
from pix2pix_tf.pairs import find
from pix2pix_tf.system.errors import Pix2PixError

NAMES = ['1', '10', '<script>alert(1)<', 'a"b\'c&d', 'x % y#?é']
VALUES = {'L1': [0.3, 0.1, 0.5, 0.2, 0.4], 'SSIM': [0.1, 0.9, 0.3, 0.7, 0.5]}
BY_L1 = [1, 3, 0, 4, 2]  # best first
BY_SSIM = [1, 3, 4, 2, 0]


@pytest.fixture
def out(tmp_path):
    """A folder with a gallery of NAMES, and a page of their validation images."""
    for name in NAMES:
        for kind in (*images.KINDS, 100, 2000):
            write_pair(tmp_path / 'images' / images.filename(name, kind), width=16, height=16)
    shutil.copytree(str(tmp_path / 'images'), str(tmp_path / 'development'))
    rows = [
        dict({key: values[i] for key, values in VALUES.items()}, name=name)
        for i, name in enumerate(NAMES)
    ]
    source = {'checkpoint': 'out/<i>model-7', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 1}
    pages.write_gallery(report_on(source, rows, {'FID': 12.5}), str(tmp_path), (16, 16))
    pages.write_development(str(tmp_path), 'development', NAMES, [100, 2000], (16, 16))
    return tmp_path


def test_pages_load_no_external_resources(out):
    for name in ('index.html', 'development.html'):
        page = (out / name).read_text(encoding='utf-8')
        assert (
            re.search('https?://|url\\(|@import|<link(?! rel="icon" href="data:,")', page) is None
        )


def test_names_are_escaped(out):
    page = (out / 'index.html').read_text(encoding='utf-8')
    headings = re.findall('<h2>([^<]*)</h2>', page)
    assert [html.unescape(heading) for heading in headings] == NAMES
    assert page.count('<script>') == 1
    assert '<i>' not in page


def test_samples_are_shown_beside_the_triplet(tmp_path):
    row = {'name': '1', 'L1': 0.1, 'diversity': 0.02}
    source = {'checkpoint': 'm', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 3}
    pages.write_gallery(report_on(source, [row], {}), str(tmp_path), (16, 16))
    page = (tmp_path / 'index.html').read_text(encoding='utf-8')
    shown = re.findall('<img src="images/([^"]*)"', page)
    assert shown == [
        f'1-{kind}.png' for kind in ('inputs', 'outputs', 'targets', 'outputs-2', 'outputs-3')
    ]


def gallery(out, **source):
    """The text of a gallery of one pair."""
    source = dict({'checkpoint': 'm', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 1}, **source)
    row = {'name': '1', 'L1': 0.1, 'MS-SSIM': 0.5, 'diversity': 0.02}
    pages.write_gallery(report_on(source, [row], {'FID': 12.5}), str(out), (16, 16))
    return (out / 'index.html').read_text(encoding='utf-8')


def test_each_metric_says_which_way_is_better(tmp_path):
    page = gallery(tmp_path)
    arrow = '<span title="{} is closer to the target">{}</span>'
    cells = dict(re.findall('<td>(FID|L1|MS-SSIM|diversity)(.*)</td><td>', page))
    assert {name: cell.split('</td>')[0].strip() for name, cell in cells.items()} == {
        'L1': arrow.format('lower', '↓'),
        'FID': arrow.format('lower', '↓'),
        'MS-SSIM': arrow.format('higher', '↑'),
        'diversity': '',
    }


def test_metrics_that_prefer_a_blur_are_named_and_none_is_called_best(tmp_path):
    page = gallery(tmp_path)
    assert re.search('L1 prefers? a blurred image', page)
    assert 'best' not in page.lower()


@pytest.mark.parametrize('place', ['same', 'moved', 'other', 'unknown'])
def test_the_gallery_says_whether_its_pairs_were_trained_on(tmp_path, place):
    folders = {'same': 'mine/train', 'moved': 'moved/train', 'other': 'mine/val', 'unknown': 'v'}
    shown = tmp_path / folders[place]
    for folder, side in (('mine/train', 16), ('moved/train', 16), ('mine/val', 24)):
        write_pair(tmp_path / folder / '1.png', width=side, height=side)
    trained = str(tmp_path / 'mine' / 'train')
    described = options_file.describe_data(trained, find.find_images(trained)[0])
    options_file.save(Config(), str(tmp_path), described)
    page = gallery(tmp_path, checkpoint=str(tmp_path / 'model-7'), data=str(shown))
    told = re.search('step 7(.*)</p>', page).group(1)
    assert (
        told
        == {
            'same': '; trained on these pairs',
            'moved': '; trained on these pairs',
            'other': '; not trained on these pairs, but on mine/train',
            'unknown': '',
        }[place]
    )


def test_the_gallery_links_the_pages_beside_it_and_says_how_to_draw(tmp_path):
    page = gallery(tmp_path, checkpoint='out/my model/model-7')
    assert 'make serve MODEL=&#39;out/my model&#39;' in page
    assert 'development.html' not in page and 'curves.png' not in page
    for name in ('development.html', 'curves.png'):
        (tmp_path / name).write_bytes(b'')
    page = gallery(tmp_path)
    assert re.findall('<a href="(development.html|curves.png)"', page) == [
        'development.html',
        'curves.png',
    ]


def test_the_model_of_an_export_from_a_saved_model_is_its_folder(tmp_path):
    page = gallery(tmp_path, checkpoint='out/saved/1000/variables/variables')
    assert 'make serve MODEL=out/saved/1000<' in page


def test_the_newest_column_comes_first(out):
    page = (out / 'development.html').read_text(encoding='utf-8')
    assert re.findall('<th>([^<]*)</th>', page) == ['input', 'target', 'step 2000', '100']
    kinds = re.findall('<img src="development/1-([^"]*).png"', page)
    assert kinds == ['inputs', 'targets', '2000', '100']


@pytest.mark.parametrize('running', [True, False])
def test_only_the_page_of_a_running_training_reloads_itself(tmp_path, running):
    pages.write_development(str(tmp_path), 'development', ['1'], [1], (16, 16), running)
    page = (tmp_path / 'development.html').read_text(encoding='utf-8')
    assert page.count('<meta http-equiv="refresh" content="10">') == running
    assert ('reloads itself' in page) == running


@pytest.fixture(scope='module')
def page():
    with chromium.browsing() as page:
        yield page


@pytest.fixture
def open_page(out, page):
    """A function: opens a page of `out` in Chromium, which must find no error in it."""
    with serving(chromium.Files) as server:
        server.folder = str(out)
        yield lambda address, *device: page.open(f'{server.url}/{address}', *device)
    assert page.errors == []


SHOWN = "[...document.querySelectorAll('article')].map(a => a.dataset.name)"


def order(page):
    return [NAMES.index(name) for name in page.run(SHOWN)]


def wait_for_order(page, want):
    names = json.dumps([NAMES[number] for number in want])
    page.wait(f'JSON.stringify({SHOWN}) === JSON.stringify({names})')


def test_a_browser_shows_the_gallery(open_page, page, tmp_path):
    open_page('index.html')
    assert order(page) == [0, 1, 2, 3, 4]
    page.screenshot(tmp_path / 'page.png')
    with Image.open(str(tmp_path / 'page.png')) as image:
        colors = image.convert('RGB').getcolors(1000000)
    assert len(colors) > 50  # text and images, not a blank page


@pytest.mark.parametrize(
    'address, want',
    [('L1', BY_L1), ('-L1', BY_L1[::-1]), ('SSIM', BY_SSIM), ('nonsense', [0, 1, 2, 3, 4])],
)
def test_the_fragment_of_the_address_sets_the_order(open_page, page, address, want):
    open_page('index.html#' + address)
    assert order(page) == want


def test_buttons_sort_and_reverse_the_order(open_page, page):
    open_page('index.html')
    wants = [BY_SSIM, BY_SSIM[::-1], BY_L1, [0, 1, 2, 3, 4]]
    for key, want in zip(('SSIM', 'SSIM', 'L1', ''), wants):
        page.click(f'button[data-key="{key}"]')
        wait_for_order(page, want)  # a change of the address is an event of later
        pressed = page.run("document.querySelector('[aria-pressed=true]').dataset.key")
        assert pressed == key


def test_with_lpips_the_gallery_opens_sorted_by_it(out, open_page, page):
    rows = [{'name': name, 'L1': VALUES['L1'][i], 'LPIPS': i / 10} for i, name in enumerate(NAMES)]
    rows = rows[1:] + rows[:1]
    source = {'checkpoint': 'm', 'step': 7, 'data': 'v', 'seed': 1, 'samples': 1}
    pages.write_gallery(report_on(source, rows, {}), str(out), (16, 16))
    open_page('index.html')
    assert order(page) == [0, 1, 2, 3, 4]
    wants = [[4, 3, 2, 1, 0], BY_L1, [1, 2, 3, 4, 0]]
    for key, want in zip(('LPIPS', 'L1', 'folder'), wants):
        page.click(f'button[data-key="{key}"]')
        wait_for_order(page, want)


@pytest.mark.parametrize('address', ['index.html', 'development.html'])
def test_every_image_exists_and_loads_lazily(open_page, page, address):
    open_page(address)
    count = len(NAMES) * (3 if address == 'index.html' else 4)
    source = page.run('document.documentElement.outerHTML')
    assert source.count('<img ') == source.count('loading="lazy"') == count
    page.run("for (const image of document.images) image.loading = 'eager'")
    page.wait('[...document.images].every(image => image.complete)')
    widths = page.run('[...document.images].map(image => image.naturalWidth)')
    assert widths == [16] * count


@pytest.mark.parametrize('device', [dict(chromium.PHONE, width=390), chromium.DESKTOP])
def test_pictures_are_on_the_first_screen(open_page, page, device):
    open_page('index.html', device)
    box = '(() => { const b = document.images[1].getBoundingClientRect(); return b.bottom; })()'
    assert page.run(box) <= device['height']


def test_the_gallery_fits_on_a_phone(open_page, page):
    open_page('index.html', chromium.PHONE)
    root = 'document.documentElement'
    width, content = page.run(f'[{root}.clientWidth, {root}.scrollWidth]')
    assert content <= width <= 375


def test_a_page_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / 'development.html').mkdir()
    with pytest.raises(Pix2PixError) as error:
        pages.write_development(str(tmp_path), 'development', ['1'], [1], (16, 16))
    assert f'cannot write {os.path.join(str(tmp_path), "development.html")}' in str(error.value)
