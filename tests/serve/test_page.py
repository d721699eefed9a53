"""The page in Chromium, with mouse, finger and keys."""

import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image
from support.chromium import DESKTOP, PHONE, browsing
from support.clients import served
from support.drawing_page import BACKGROUND, DOOR, READY, WALL, WINDOW, done, pixels
from support.encoding import encoded
from support.helpers import pair_pixels

from pix2pix_tf.serve import canvas


@pytest.fixture(scope='module')
def server(facades):
    with served(facades) as server:
        yield server


@pytest.fixture(scope='module')
def browser():
    with browsing() as page:
        yield page


@pytest.fixture
def page(browser, server):
    """The page, after its first result."""
    browser.open(server.url)
    browser.wait(READY)
    yield browser
    assert browser.errors == []


def choose(page, name, value):
    page.click(f'label:has(> input[name={name}][value="{value}"])')


def test_a_rectangle_changes_the_result_where_it_is_drawn(page, server):
    before = pixels(page, 'input'), pixels(page, 'output')
    choose(page, 'tool', 'rectangle')
    choose(page, 'color', '#00aaff')
    page.drag([page.place('#input', 0.25, 0.25), page.place('#input', 0.4, 0.4)] + [
        page.place('#input', 0.5, 0.5)
    ])  # fmt: skip
    done(page)
    after = pixels(page, 'input'), pixels(page, 'output')
    inside = np.zeros((256, 256), bool)
    inside[64:128, 64:128] = True
    assert (after[0][inside] == DOOR).all()
    # The border may fall on the pixel next to it
    border = inside.copy()
    border[62:131, 62:131] = True
    np.testing.assert_array_equal(before[0][~border], after[0][~border])
    changed = np.abs(after[1] - before[1]).mean(axis=2)
    assert changed[inside].mean() > 3 * changed[~border].mean()
    # It is the server's result for exactly these pixels
    image = encoded(after[0].astype(np.uint8))
    answer = Image.open(io.BytesIO(server.ask('/predict?seed=1', image).body))
    np.testing.assert_array_equal(np.asarray(answer), after[1])


def test_every_tool_draws_and_can_be_undone(page):
    start = pixels(page, 'input')
    choose(page, 'color', '#0055ff')
    drawn = [start]
    for tool, points in (
        ('brush', [(0.1, 0.1), (0.3, 0.2), (0.3, 0.4)]),
        ('fill', [(0.02, 0.02)]),
        ('eraser', [(0.5, 0.9), (0.6, 0.9)]),
    ):
        choose(page, 'tool', tool)
        page.drag([page.place('#input', *point) for point in points])
        drawn.append(pixels(page, 'input'))
        assert (drawn[-1] != drawn[-2]).any(), tool
    colors = {tuple(color) for color in drawn[1].reshape(-1, 3)}
    assert colors <= {tuple(color) for color in start.reshape(-1, 3)} | {WINDOW}  # no smoothing
    assert tuple(drawn[1][51, 77]) == WINDOW and tuple(drawn[2][3, 3]) == WINDOW
    for number in (2, 1, 0):
        page.click('#undo')
        np.testing.assert_array_equal(pixels(page, 'input'), drawn[number])
    page.key('z', 2 | 8)
    page.key('y', 2)
    np.testing.assert_array_equal(pixels(page, 'input'), drawn[2])
    page.key('z', 2)
    page.click('#redo')
    np.testing.assert_array_equal(pixels(page, 'input'), drawn[2])
    page.click('#clear')
    cleared = pixels(page, 'input')
    done(page)
    # The eraser gives back what Clear gives
    choose(page, 'tool', 'brush')
    page.drag([page.place('#input', 0.5, 0), page.place('#input', 0.5, 0.95)])
    assert (pixels(page, 'input') != cleared).any()
    choose(page, 'tool', 'eraser')
    page.run("document.querySelector('#size').value = 64")
    page.drag([page.place('#input', 0.5, 0), page.place('#input', 0.5, 0.95)])
    np.testing.assert_array_equal(pixels(page, 'input'), cleared)
    done(page)


@pytest.mark.parametrize('kind, words', [('labels', 'label maps'), ('lines', 'line drawings')])
def test_the_page_says_what_the_model_was_trained_on(page, kind, words):
    if kind == 'labels':
        assert words in page.run("byId('about').textContent")
    page.run(f"model.kind = '{kind}'; prepare()")
    assert f'Trained on {words}' in page.run("byId('about').textContent")
    page.run("model.kind = 'unknown'; prepare()")  # its pairs are gone
    assert page.run("byId('about').hidden") is True
    done(page)


def test_labels_of_similar_colors_are_told_apart(page):
    page.click('#clear')
    choose(page, 'tool', 'rectangle')
    choose(page, 'color', '#0055ff')
    page.drag([page.place('#input', 0.5, 0.5), page.place('#input', 0.7, 0.7)])
    done(page)
    page.wait('!waiting')
    drawn = pixels(page, 'input')
    window = (drawn == WINDOW).all(axis=2)
    wall = (drawn == WALL).all(axis=2)
    assert window.any() and (window | wall | (drawn == BACKGROUND).all(axis=2)).all()
    # Lines lie along the borders of the labels, and only there
    alpha = np.array(
        page.run(
            "(() => { const c = byId('edges'); const d = c.getContext('2d').getImageData(0, 0,"
            ' c.width, c.height).data; const found = []; for (let i = 3; i < d.length; i += 4)'
            ' if (d[i]) found.push((i - 3) / 4); return found; })()'
        )
    )
    lines = np.zeros(1024 * 1024, bool)
    lines[alpha] = True
    lines = lines.reshape(256, 4, 256, 4).any(axis=(1, 3))
    kinds = window + 2 * wall
    border = np.zeros((256, 256), bool)
    for axis in (0, 1):
        for shift in (-1, 1):
            border |= np.roll(kinds, shift, axis) != kinds
    border[[0, -1]] = border[:, [0, -1]] = False  # where `roll` wraps
    assert (border[1:-1, 1:-1] <= lines[1:-1, 1:-1]).all()
    assert lines.sum() < 1.1 * border.sum() + 8
    # The name of what is under the mouse
    for at, name in (((0.6, 0.6), 'window'), ((0.3, 0.6), 'wall'), ((0.6, 0.02), 'background')):
        page.mouse('mouseMoved', page.place('#input', *at))
        assert page.run("byId('under').hidden || byId('under').textContent") == name
    page.mouse('mouseMoved', page.place('#sample'))
    assert page.run("byId('under').hidden")


def test_clear_gives_a_sky_and_a_wall(page):
    page.click('#clear')
    cleared = pixels(page, 'input')
    done(page)
    assert (cleared == cleared[:, :1]).all()
    rows = [tuple(row) for row in cleared[:, 0]]
    assert set(rows) == {BACKGROUND, WALL}
    start = rows.index(WALL)
    assert rows == start * [BACKGROUND] + (256 - start) * [WALL] and 10 < start < 90


def test_a_brush_that_leaves_the_drawing_leaves_no_line_on_its_border(page):
    page.click('#clear')
    choose(page, 'tool', 'brush')
    choose(page, 'color', '#0055ff')
    page.run("document.querySelector('#size').value = 1")
    page.drag(
        [page.place('#input', *at) for at in ((0.9, 0.2), (1.2, 0.2), (1.2, 0.8), (0.9, 0.8))]
    )
    drawn = (pixels(page, 'input') == WINDOW).all(axis=2)
    assert drawn[51:52, 232:].any() and drawn[204:206, 232:].any()
    assert not drawn[60:200].any()
    done(page)


def test_keys_draw(page):
    page.click('#clear')
    page.run("document.querySelector('#input').focus()")
    for key in 'r4':  # the fourth color is the door
        page.key(key)
    page.key(' ')
    for key in ('ArrowRight', 'ArrowDown', 'ArrowDown'):
        page.key(key, 8)
    page.key('ArrowLeft')
    page.key('Enter')
    drawn = (pixels(page, 'input') == DOOR).all(axis=2)
    assert drawn[128:161, 128:144].all() and drawn.sum() == 33 * 16
    page.key(' ')
    page.key('ArrowLeft')
    page.key('Escape')
    assert (pixels(page, 'input') == DOOR).all(axis=2).sum() == 33 * 16
    # A drawing that replaces an unfinished stroke stays
    page.key(' ')
    page.click('#clear')
    page.drag([page.place('#input', 0.2, 0.2)])
    assert (pixels(page, 'input') == DOOR).all(axis=2).sum() == 1
    done(page)


@pytest.mark.parametrize(
    'control',
    [
        *('label:has(> input[value=brush])', 'label:has(> input[name=color])', '#clear'),
        *('#undo', '#sample', '#save-input', '#examples button', '#size', 'summary'),
    ],
)
def test_keys_work_after_a_click_on_a_control(page, control):
    page.run('window.save = () => {}')
    choose(page, 'tool', 'brush')  # it has a size
    page.click('#clear')  # there is something to undo
    page.click(control)
    # An example is drawn when it has been loaded
    page.wait(f'drawings.length === {3 if control in ("#clear", "#examples button") else 2}')
    for key, name, value in (
        ('f', 'tool', 'fill'),
        ('R', 'tool', 'rectangle'),
        ('3', 'color', '#0055ff'),
        ('2', 'color', '#0000ff'),
        ('b', 'tool', 'brush'),
    ):
        page.key(key)
        assert page.run(f"chosen('{name}')") == value, key
    size = page.run("Number(byId('size').value)")
    page.key(']')
    assert page.run("Number(byId('size').value)") == min(64, size + 2)
    before = page.run('drawings.length'), page.run('current')
    page.key('z', 2)
    assert (page.run('drawings.length'), page.run('current')) == (before[0], max(0, before[1] - 1))
    page.run("byId('seed').value = 77777")
    page.key('n')
    assert page.run("byId('seed').value") != '77777'
    done(page)


def test_keys_in_a_field_for_text_are_text(page):
    choose(page, 'tool', 'rectangle')
    choose(page, 'color', '#0055ff')
    page.run("byId('seed').value = ''")
    page.click('#seed')
    for key in 'e1b2':
        page.key(key)
    assert page.run("chosen('tool') + chosen('color')") == 'rectangle#0055ff'
    page.run("byId('seed').value = 1; byId('seed').blur()")
    done(page)


def test_a_finger_draws_on_a_phone(browser, server):
    browser.open(server.url, PHONE)
    browser.wait(READY)
    assert browser.run('document.documentElement.scrollWidth') <= PHONE['width']
    before = pixels(browser, 'input')
    browser.run("document.querySelector('input[value=brush]').click()")
    browser.touch([browser.place('#input', x, 0.05) for x in (0.2, 0.4, 0.6)])
    browser.wait('drawings.length === 2')
    done(browser)
    changed = (pixels(browser, 'input') != before).any(axis=2)
    assert changed[12, 60:150].all() and not changed[40:].any()
    assert browser.run('scrollY') == 0


@pytest.mark.parametrize('width, height', [(390, 844), (375, 667)])
def test_the_result_is_in_view_while_one_draws_on_a_phone(browser, server, width, height):
    browser.open(server.url, dict(PHONE, width=width, height=height))
    browser.wait(READY)
    if height < 700:
        browser.run("scrollTo(0, byId('input').getBoundingClientRect().bottom - innerHeight)")
    boxes = [
        browser.run(
            f"(() => {{ const b = byId('{name}').getBoundingClientRect();"
            ' return [b.left, b.top, b.right, b.bottom]; })()'
        )
        for name in ('output', 'input')
    ]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height + 1
    assert boxes[0][3] <= boxes[1][1]  # the result does not cover the drawing
    assert boxes[0][2] - boxes[0][0] > 120
    # It stays there when the palette is scrolled to
    browser.run("byId('palette').scrollIntoView({ block: 'end', behavior: 'instant' })")
    top, bottom = browser.run(
        "(() => { const b = byId('output').getBoundingClientRect(); return [b.top, b.bottom]; })()"
    )
    assert top >= 0 and bottom < height / 2


def test_the_newest_drawing_wins(page, server):
    def answered():
        metrics = server.ask('/metrics').body.decode()
        count = re.search(r'predict",status="200"} (\d+)', metrics)
        return int(count.group(1))

    before = answered()
    # Strokes within one task: no answer can arrive between them
    page.run(
        'for (let at = 0; at < 40; at++) { drawRectangle([at, at], [at + 9, at + 9], "#aa0000");'
        ' commit(); }'
    )
    done(page)
    assert answered() - before == 2  # the first one and the newest
    image = encoded(pixels(page, 'input').astype(np.uint8))
    answer = Image.open(io.BytesIO(server.ask('/predict?seed=1', image).body))
    np.testing.assert_array_equal(np.asarray(answer), pixels(page, 'output'))


def test_files_and_examples_start_a_drawing(page, tmp_path):
    path = str(tmp_path / 'x.png')
    Image.fromarray(pair_pixels(3, 256, 256)).save(path)
    data = {'items': [], 'files': [path], 'dragOperationsMask': 1}
    x, y = page.place('#input')
    for kind in ('dragEnter', 'dragOver', 'drop'):
        page.call('Input.dispatchDragEvent', type=kind, x=x, y=y, data=data)
    page.wait('drawings.length === 2')
    np.testing.assert_array_equal(pixels(page, 'input'), pair_pixels(3, 256, 256))
    page.run(
        'input.toBlob(blob => { const clipboardData = new DataTransfer();'
        " clipboardData.items.add(new File([blob], 'a.png', { type: 'image/png' }));"
        " document.dispatchEvent(new ClipboardEvent('paste', { clipboardData })); })"
    )
    page.wait('drawings.length === 3')
    page.click('#examples li:nth-child(2) button')
    page.wait('drawings.length === 4')
    page.click('#random')
    page.wait('drawings.length === 5')
    done(page)
    page.run('window.fetch = () => Promise.reject(new Error())')
    page.click('#random')
    page.wait("document.querySelector('#status').textContent.startsWith('The server does not')")


def test_a_file_with_a_pair_starts_with_its_input(page, facades, tmp_path):
    train = os.path.join(os.path.dirname(facades), 'train')
    if 'TEST_MODEL' in os.environ:
        pytest.skip('its pairs are elsewhere')
    name = next(name for name in sorted(os.listdir(train)) if name.endswith(('png', 'jpg')))
    pair = np.asarray(Image.open(os.path.join(train, name)).convert('RGB'))
    page.call('DOM.enable')

    def open_file(path):
        count = page.run('drawings.length')
        root = page.call('DOM.getDocument')['root']['nodeId']
        node = page.call('DOM.querySelector', nodeId=root, selector='#file')['nodeId']
        page.call('DOM.setFileInputFiles', files=[str(path)], nodeId=node)
        page.wait(f'drawings.length === {count + 1}')
        done(page)
        return page.run("document.querySelector('#status').textContent")

    words = 'The file is a pair: its right half is the input.'
    assert words in open_file(os.path.join(train, name))
    half = pair[:, 256:].astype(int)
    assert np.abs(pixels(page, 'input') - half).mean() < 3
    page.click('#clear')
    done(page)
    assert words not in page.run("document.querySelector('#status').textContent")
    # Two photos side by side are no pair
    Image.fromarray(np.concatenate([pair[:, :256]] * 2, axis=1)).save(str(tmp_path / 'x.png'))
    assert words not in open_file(tmp_path / 'x.png')


def test_another_sample_has_another_seed(page):
    page.run('model.step = 1; describe()')
    page.click('#sample')
    done(page)
    assert ' 1 steps' not in page.run("document.querySelector('#model').textContent")
    seed = page.run("document.querySelector('#seed').value")
    assert f'seed {seed},' in page.run("document.querySelector('#status').textContent")
    assert 0 <= int(seed) < 10000
    assert 'the only noise is dropout' in page.run("document.querySelector('#status').textContent")
    assert page.run("byId('sample').classList.contains('primary')") is False
    # A download is named by the seed that made it
    page.run("document.querySelector('#seed').value = 77")
    page.run('window.save = (_, name) => { window.saved = name; }')
    page.click('#save')
    assert page.run('window.saved') == f'result-{seed}.png'


def test_without_dropout_the_page_has_no_noise_to_choose(browser, facades):
    with served(facades, '--dropout_at_test=off') as server:
        browser.open(server.url)
        browser.wait(READY)
        for part in ('noise', 'sample-key', 'about-noise'):
            assert browser.run(f"byId('{part}').offsetParent === null"), part
        assert 'seed' not in browser.run("document.querySelector('#status').textContent")
        browser.key('n')
        browser.run('window.save = (_, name) => { window.saved = name; }')
        browser.click('#save')
        assert browser.run('window.saved') == 'result.png'
        assert browser.errors == []


def test_the_page_opened_as_a_file_says_what_to_do(browser):
    browser.open('file://' + os.path.join(canvas.PAGE, 'index.html'))
    browser.wait("document.querySelector('#status').textContent.startsWith('Opened as a file')")


def test_every_control_has_a_name_for_screen_readers(page):
    page.call('Accessibility.enable')
    nodes = page.call('Accessibility.getFullAXTree')['nodes']
    roles = {'button', 'radio', 'slider', 'spinbutton', 'image', 'application', 'heading'}
    seen = set()
    for node in nodes:
        role = node.get('role', {}).get('value')
        if role in roles and not node.get('ignored'):
            assert node.get('name', {}).get('value'), json.dumps(node)[:500]
            seen.add((role, node['name']['value']))
    assert {('application', 'Drawing'), ('radio', 'window'), ('button', 'Undo')} <= seen
    assert page.run("document.querySelector('#status').getAttribute('role')") == 'status'


@pytest.mark.slow
def test_a_token_is_taken_from_the_address_or_asked_for(browser, facades):
    with served(facades, '--token=a+b%20&c') as server:
        browser.open(server.url + '/#token=a%2Bb%2520%26c', DESKTOP)  # as the server prints it
        browser.wait(READY)
        browser.open(server.url, DESKTOP)
        browser.wait("document.querySelector('#ask').open")
        browser.click('#token')
        browser.call('Input.insertText', text='wrong')
        browser.click('#ask-done')
        browser.wait("document.querySelector('#ask-title').textContent === 'This token is wrong'")
        browser.wait("document.querySelector('#ask').open")
        browser.run("document.querySelector('#token').value = ''")
        browser.click('#token')
        browser.call('Input.insertText', text='a+b%20&c')
        browser.click('#ask-done')
        browser.wait(READY)
