"""A headless Chromium with a real mouse, by the Chrome DevTools Protocol over a pipe."""

import base64
import contextlib
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import pytest
from support.forking import DEADLINE

HEADLESS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
SWITCHES = (*HEADLESS, '--hide-scrollbars', '--remote-debugging-pipe')
PHONE = {'width': 375, 'height': 812, 'deviceScaleFactor': 2, 'mobile': True}
DESKTOP = {'width': 1280, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}


class Page:
    """A tab of the browser."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from, self._number, self._session = to_browser, from_browser, 0, None
        self.errors = []  # what the page wrote to its console as an error
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        attached = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log'):
            self.call(domain + '.enable')

    def call(self, method, **params):
        """The result of a method of the protocol."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        self._to.write(json.dumps(message).encode() + b'\0')
        self._to.flush()
        while True:
            answer = self._read()
            if answer.get('id') == self._number:
                assert 'error' not in answer, answer
                return answer['result']

    def _read(self):
        data = b''
        while not data.endswith(b'\0'):
            part = self._from.read(1)
            assert part, 'the browser has ended'
            data += part
        answer = json.loads(data[:-1].decode())
        params = answer.get('params', {})
        if answer.get('method') == 'Runtime.exceptionThrown':
            self.errors.append(params['exceptionDetails'])
        if answer.get('method') == 'Log.entryAdded' and params['entry']['level'] == 'error':
            self.errors.append(params['entry'])
        return answer

    def open(self, url, device=DESKTOP, dark=False):
        """Loads an address."""
        self.call('Emulation.setDeviceMetricsOverride', **device)
        self.call('Emulation.setTouchEmulationEnabled', enabled=device['mobile'])
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.call('Emulation.setEmulatedMedia', features=[scheme])
        self.call('Page.navigate', url='about:blank')
        self.wait("location.href === 'about:blank'")
        self.errors.clear()  # those of the page before
        self.call('Page.navigate', url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, script):
        """The value of an expression in the page; a promise is awaited."""
        result = self.call(
            'Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def wait(self, condition):
        """Asks an expression every 50 ms until it holds."""
        end = time.monotonic() + DEADLINE
        while not self.run(condition):
            assert time.monotonic() < end, f'{condition}: not within {DEADLINE} s; {self.errors}'
            time.sleep(0.05)

    def place(self, selector, x=0.5, y=0.5):
        """The point of an element, from its left upper corner (0, 0) to its right lower (1, 1)."""
        return self.run(
            f'(() => {{ const e = document.querySelector({json.dumps(selector)});'
            'e.scrollIntoViewIfNeeded(); const b = e.getBoundingClientRect();'
            f'return [b.left + b.width * {x}, b.top + b.height * {y}]; }})()'
        )

    def mouse(self, kind, point, buttons=0):
        """A mouse event: 'mousePressed', 'mouseMoved' or 'mouseReleased'."""
        self.call(
            'Input.dispatchMouseEvent',
            type=kind,
            x=point[0],
            y=point[1],
            button='none' if kind == 'mouseMoved' and not buttons else 'left',
            buttons=buttons,
            clickCount=0 if kind == 'mouseMoved' else 1,
        )

    def click(self, selector):
        self.drag([self.place(selector)])

    def drag(self, points):
        """Presses the mouse at the first of `points`, moves over all, and releases it."""
        self.mouse('mouseMoved', points[0])
        self.mouse('mousePressed', points[0], 1)
        for point in points[1:]:
            self.mouse('mouseMoved', point, 1)
        self.mouse('mouseReleased', points[-1])

    def touch(self, points):
        """The same by a finger."""
        for number, point in enumerate(points):
            kind = 'touchMove' if number else 'touchStart'
            touches = [{'x': point[0], 'y': point[1]}]
            self.call('Input.dispatchTouchEvent', type=kind, touchPoints=touches)
        self.call('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])

    def key(self, key, modifiers=0):
        """Presses a key; `modifiers` are 2 for Control, 8 for Shift."""
        codes = {'Enter': 13, 'Escape': 27, ' ': 32, 'ArrowLeft': 37, 'ArrowUp': 38}
        codes.update(ArrowRight=39, ArrowDown=40, Tab=9)
        code = codes.get(key) or ord(key.upper())
        text = {'text': key} if len(key) == 1 and not modifiers & 2 else {}
        for kind in ('keyDown', 'keyUp'):
            self.call(
                'Input.dispatchKeyEvent',
                type=kind,
                key=key,
                modifiers=modifiers,
                windowsVirtualKeyCode=code,
                **(text if kind == 'keyDown' else {}),
            )

    def screenshot(self, path, whole=False):
        """Writes what is shown, or the `whole` page."""
        shot = self.call('Page.captureScreenshot', captureBeyondViewport=whole)
        with open(str(path), 'wb') as file:
            file.write(base64.b64decode(shot['data']))


def find():
    """The path of Chromium; without it, the test is skipped."""
    found = shutil.which('chromium') or shutil.which('chromium-browser')
    if not found:
        pytest.skip('no Chromium')
    return found


@contextlib.contextmanager
def browsing():
    """A Page of a new Chromium; without Chromium, the test is skipped."""
    chromium = find()
    to_browser, from_browser = os.pipe(), os.pipe()

    def pipes():  # the protocol's are 3 and 4
        for at, fd in ((3, os.dup(to_browser[0])), (4, os.dup(from_browser[1]))):
            os.dup2(fd, at)
            os.set_inheritable(at, True)

    # Its own processes may still write while it ends: what is left then is nobody's concern
    with contextlib.ExitStack() as stack:
        profile = tempfile.mkdtemp()
        stack.callback(shutil.rmtree, profile, ignore_errors=True)
        process = subprocess.Popen(
            [chromium, *SWITCHES, f'--user-data-dir={profile}', 'about:blank'],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=pipes,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        with os.fdopen(to_browser[1], 'wb') as writer, os.fdopen(from_browser[0], 'rb') as reader:
            try:
                yield Page(writer, reader)
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:  # how it ends is not our subject
                    process.kill()
                    process.wait()


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the files of `server.folder`."""

    def translate_path(self, path):
        name = urllib.parse.unquote(path.split('?')[0]).lstrip('/')
        return os.path.join(self.server.folder, name or 'index.html')

    def log_message(self, *_):
        pass
