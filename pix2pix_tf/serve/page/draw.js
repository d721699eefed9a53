'use strict';
// The page: draws an input, and shows what the model makes of it after every stroke.
// `model.json` says what to draw with. The answer comes from the server, or from `onnx.js`.

const byId = id => document.getElementById(id);
const input = byId('input');
const output = byId('output');
const ink = input.getContext('2d', { willReadFrequently: true });
const SEEDS = 10000; // that "Another sample" chooses from
const REMEMBERED = 60; // drawings to undo
const ABOUT = {
  labels: 'Trained on label maps: draw areas of flat color. A photo gives no good result.',
  lines: 'Trained on line drawings: draw lines. A photo gives no good result.',
  photos: 'Trained on photos, or pictures computed from them: open one, or start from an example.',
  files:
    'This page draws one RGB image of 8 bits, and the model takes other inputs: send files with them to /predict.',
};

let model; // model.json
let sheet = [[0, '#ffffff']]; // of a cleared drawing: [top, from 0 to 1; color] of its bands
let token = new URLSearchParams(location.hash.slice(1)).get('token');

const chosen = name => document.querySelector(`input[name=${name}]:checked`).value;
const wait = seconds => new Promise(done => setTimeout(done, 1000 * seconds));

function say(words, bad = false) {
  byId('status').textContent = words;
  byId('status').classList.toggle('bad', bad);
}

// --- Drawing: whole pixels, without smoothing, because labels are flat colors ---

// Without a color, erases: the rows get back the color of the cleared sheet.
function stamp(x, y, color, size) {
  const radius = size / 2;
  const first = Math.ceil(-radius + 0.01);
  for (let row = first; row < first + size; row++) {
    const up = row + (size % 2 ? 0 : -0.5);
    const half = Math.sqrt(Math.max(0, radius * radius - up * up));
    const left = Math.round(x - half + (size % 2 ? 0.5 : 0));
    ink.fillStyle = color || sheetColor(y + row);
    ink.fillRect(left, y + row, Math.max(1, Math.round(2 * half)), 1);
  }
}

function drawLine([x0, y0], [x1, y1], color, size) {
  const steps = Math.max(1, Math.abs(x1 - x0), Math.abs(y1 - y0));
  for (let step = 0; step <= steps; step++) {
    const part = step / steps;
    stamp(Math.round(x0 + (x1 - x0) * part), Math.round(y0 + (y1 - y0) * part), color, size);
  }
}

function drawRectangle([x0, y0], [x1, y1], color) {
  ink.fillStyle = color;
  ink.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0) + 1, Math.abs(y1 - y0) + 1);
}

// Fills the area of similar color around a pixel; files in JPEG have no area of equal color.
function fill([x, y], color) {
  const { width, height } = input;
  const image = ink.getImageData(0, 0, width, height);
  const { data } = image;
  const start = 4 * (y * width + x);
  const from = [data[start], data[start + 1], data[start + 2]];
  const to = channels(color);
  const seen = new Uint8Array(width * height);
  const stack = [y * width + x];
  while (stack.length) {
    const pixel = stack.pop();
    const at = 4 * pixel;
    if (seen[pixel] || from.some((value, i) => Math.abs(data[at + i] - value) > 24)) continue;
    seen[pixel] = 1;
    data.set(to, at);
    const column = pixel % width;
    if (column > 0) stack.push(pixel - 1);
    if (column < width - 1) stack.push(pixel + 1);
    if (pixel >= width) stack.push(pixel - width);
    if (pixel < width * (height - 1)) stack.push(pixel + width);
  }
  ink.putImageData(image, 0, 0);
}

// --- Labels of similar colors, told apart: lines between them, and the name under the mouse.
// Both lie above the drawing and are no part of it. ---

const CLOSE = 128; // labels whose colors differ by less in every channel look alike
const NEAR = 40; // a color that differs by more from every label is the border of two in a JPEG file
const SHARP = 4; // pixels of the lines' canvas per pixel of the drawing
const numbers = new Map(); // { a pixel's color as one number: index in the palette or -1 }
let alike = []; // for each color of the palette, whether each other one is close to it
let waiting = false;

const channels = color => [1, 3, 5].map(at => parseInt(color.slice(at, at + 2), 16));
const difference = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

// The index of the color of the palette that a pixel has, or -1.
function labelOf(data, pixel) {
  const rgb = [...data.subarray(4 * pixel, 4 * pixel + 3)];
  const key = (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
  if (!numbers.has(key)) {
    const far = model.palette.map(({ color }) => difference(rgb, channels(color)));
    const least = Math.min(...far);
    numbers.set(key, least > NEAR ? -1 : far.indexOf(least));
  }
  return numbers.get(key);
}

function drawEdges() {
  waiting = false;
  const { width, height } = input;
  const { data } = snapshot();
  const labels = Int8Array.from({ length: width * height }, (_, pixel) => labelOf(data, pixel));
  const differ = (one, other) => labels[one] >= 0 && alike[labels[one]][labels[other]];
  const lines = byId('edges').getContext('2d');
  lines.clearRect(0, 0, width * SHARP, height * SHARP);
  lines.beginPath();
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      const [left, top] = [x * SHARP, y * SHARP];
      if (x && differ(pixel, pixel - 1)) lines.rect(left - 0.5, top, 1, SHARP);
      if (y && differ(pixel, pixel - width)) lines.rect(left, top - 0.5, SHARP, 1);
    }
  }
  lines.fill();
}

// At most once per frame
function refreshEdges() {
  if (waiting || byId('edges').hidden) return;
  waiting = true;
  requestAnimationFrame(drawEdges);
}

function prepareEdges() {
  const colors = model.palette.map(({ color }) => channels(color));
  alike = colors.map(a => colors.map(b => a !== b && difference(a, b) < CLOSE));
  byId('edges').hidden = model.kind !== 'labels' || !alike.flat().some(Boolean);
  const [width, height] = [SHARP * input.width, SHARP * input.height];
  Object.assign(byId('edges'), { width, height });
  byId('edges').getContext('2d').fillStyle = '#ffffffb0';
}

function nameUnder([x, y]) {
  const { data } = ink.getImageData(inside(x, input.width), inside(y, input.height), 1, 1);
  const label = labelOf(data, 0);
  return label < 0 ? '' : model.palette[label].name;
}

function showName(event) {
  const name = byId('under');
  name.hidden = !model || model.kind !== 'labels' || event.pointerType !== 'mouse';
  if (name.hidden) return;
  const box = input.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  name.textContent = nameUnder(pixelOf(event));
  name.hidden = !name.textContent;
  // On the side of the pointer that has more room
  name.style.left = x < box.width / 2 ? `${x + 14}px` : '';
  name.style.right = x < box.width / 2 ? '' : `${box.width - x + 14}px`;
  name.style.top = y < box.height / 2 ? `${y + 14}px` : '';
  name.style.bottom = y < box.height / 2 ? '' : `${box.height - y + 14}px`;
}
input.addEventListener('pointermove', showName);
input.addEventListener('pointerleave', () => (byId('under').hidden = true));

// --- What was drawn, to undo ---

let drawings = [];
let current = -1;
let note = ''; // about the current drawing
let stroke = null; // the unfinished one: { tool, color, size, from, last, before }

const snapshot = () => ink.getImageData(0, 0, input.width, input.height);

function commit(words = '') {
  drawings = [...drawings.slice(0, current + 1), snapshot()].slice(-REMEMBERED);
  show(drawings.length - 1, words);
}

function show(number, words = '') {
  stroke = null; // what is shown replaces an unfinished one
  note = words;
  current = number;
  ink.putImageData(drawings[current], 0, 0);
  byId('undo').disabled = current <= 0;
  byId('redo').disabled = current >= drawings.length - 1;
  refreshEdges();
  update();
}

const undo = () => current > 0 && show(current - 1);
const redo = () => current < drawings.length - 1 && show(current + 1);

const topOf = ([top]) => Math.round(top * input.height);
const sheetColor = y => sheet.reduce((found, band) => (topOf(band) <= y ? band : found))[1];

function clear() {
  for (const band of sheet) {
    ink.fillStyle = band[1];
    ink.fillRect(0, topOf(band), input.width, input.height); // the next band covers the rest
  }
  commit();
}

function start(image, isPair = false) {
  const width = isPair ? image.width / 2 : image.width;
  const left = isPair && model.input_half === 'right' ? width : 0;
  ink.imageSmoothingQuality = 'high';
  ink.fillStyle = '#ffffff'; // below what is transparent
  ink.fillRect(0, 0, input.width, input.height);
  ink.drawImage(image, left, 0, width, image.height, 0, 0, input.width, input.height);
  commit(isPair ? ` The file is a pair: its ${model.input_half} half is the input.` : '');
}

// Whether an image is a pair of such a model: as `palette.is_pair` of the server decides
function isPair(image) {
  const { kind, input_half: half } = model;
  const wide = image.width === 2 * image.height && input.width !== 2 * input.height;
  if (!wide || !['labels', 'lines'].includes(kind)) return false;
  const shares = [0, image.height].map(left => shareOfPalette(image, left));
  const [colored, other] = half === 'right' ? shares.reverse() : shares;
  if (kind === 'labels') return colored >= 0.5 && other < colored - 0.4;
  return colored >= 0.8 && 1 - other > 2 * (1 - colored) + 0.05;
}

// The share of the pixels of a half that have about a color of the palette
function shareOfPalette(image, left) {
  const side = 128;
  const small = new OffscreenCanvas(side, side).getContext('2d');
  small.imageSmoothingEnabled = false;
  small.drawImage(image, left, 0, image.height, image.height, 0, 0, side, side);
  const { data } = small.getImageData(0, 0, side, side);
  let count = 0;
  for (let pixel = 0; pixel < side * side; pixel++) count += labelOf(data, pixel) >= 0;
  return count / (side * side);
}

// --- One stroke, by a pointer or by keys ---

function begin(at) {
  const tool = chosen('tool');
  const color = tool === 'eraser' ? null : chosen('color');
  const size = Number(byId('size').value);
  stroke = { tool, color, size, from: at, last: at, before: snapshot() };
  if (tool === 'fill') {
    fill(at, color);
    end();
  } else {
    extend(at);
  }
}

function extend(at) {
  if (!stroke) return;
  if (stroke.tool === 'rectangle') {
    ink.putImageData(stroke.before, 0, 0);
    drawRectangle(stroke.from, at, stroke.color);
  } else {
    drawLine(stroke.last, at, stroke.color, stroke.size);
  }
  stroke.last = at;
  refreshEdges();
}

function end() {
  if (!stroke) return;
  commit();
}

function giveUp() {
  if (!stroke) return;
  ink.putImageData(stroke.before, 0, 0);
  stroke = null;
  refreshEdges();
}

const inside = (value, side) => Math.min(side - 1, Math.max(0, Math.floor(value)));

// Beyond the canvas, too: what is drawn there is cut off
function pixelOf(event) {
  const box = input.getBoundingClientRect();
  return [
    Math.floor(((event.clientX - box.left) * input.width) / box.width),
    Math.floor(((event.clientY - box.top) * input.height) / box.height),
  ];
}

input.addEventListener('pointerdown', event => {
  if (!event.isPrimary || event.button !== 0 || !model) return;
  byId('cursor').hidden = true;
  giveUp();
  input.setPointerCapture(event.pointerId);
  const [x, y] = pixelOf(event);
  begin([inside(x, input.width), inside(y, input.height)]); // the border may fall on the next pixel
});
input.addEventListener('pointermove', event => {
  if (!event.isPrimary || !(event.buttons & 1)) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of events.length ? events : [event]) extend(pixelOf(one));
});
input.addEventListener('pointerup', event => event.isPrimary && end());
input.addEventListener('pointercancel', giveUp);

// --- Keys ---

const cursor = [0, 0];

function moveCursor(x, y) {
  cursor[0] = inside(cursor[0] + x, input.width);
  cursor[1] = inside(cursor[1] + y, input.height);
  const mark = byId('cursor');
  mark.hidden = false;
  mark.style.left = `${(100 * (cursor[0] + 0.5)) / input.width}%`;
  mark.style.top = `${(100 * (cursor[1] + 0.5)) / input.height}%`;
  extend([...cursor]);
  const label = model.kind === 'labels' && nameUnder(cursor);
  say(`Column ${cursor[0]}, row ${cursor[1]}${label ? `: ${label}` : ''}`);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function drawByKey(event) {
  const step = event.shiftKey ? 16 : 1;
  if (ARROWS[event.key]) {
    moveCursor(...ARROWS[event.key].map(way => way * step));
  } else if (event.key === ' ' || event.key === 'Enter') {
    moveCursor(0, 0);
    if (stroke) end();
    else begin([...cursor]);
  } else if (event.key === 'Escape') {
    giveUp();
  } else {
    return false;
  }
  return true;
}

function check(name, value) {
  const radio = document.querySelector(`input[name=${name}][value="${value}"]`);
  if (radio) radio.checked = true;
  if (name === 'tool') dimSize();
}

// Only the brush and the eraser have a size
function dimSize() {
  byId('size').disabled = ['rectangle', 'fill'].includes(chosen('tool'));
}
document.querySelector('.tools').addEventListener('change', dimSize);

function resize(by) {
  byId('size').value = Number(byId('size').value) + by;
  byId('size').dispatchEvent(new Event('input'));
}

const LETTERS = {
  r: () => check('tool', 'rectangle'),
  b: () => check('tool', 'brush'),
  f: () => check('tool', 'fill'),
  e: () => check('tool', 'eraser'),
  '[': () => resize(-2),
  ']': () => resize(2),
  n: () => model.noise && byId('sample').click(),
  d: () => byId('save').click(),
  o: () => byId('open').click(),
};

document.addEventListener('keydown', event => {
  if (!model || byId('ask').open) return;
  const key = event.key.toLowerCase();
  const typing = event.target.matches('input[type=number], input[type=password]');
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !typing && (key === 'z' || key === 'y')) {
    giveUp();
    if (key === 'y' || event.shiftKey) redo();
    else undo();
    event.preventDefault();
  }
  // After a click on a button or a tool, the focus is there: letters mean the same everywhere but
  // in fields for text
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === input && drawByKey(event)) {
    event.preventDefault();
  } else if (LETTERS[key]) {
    LETTERS[key]();
  } else if (/^[1-9]$/.test(key) && key <= model.palette.length) {
    check('color', model.palette[key - 1].color);
  }
});

// --- The answer: one request at a time, and the newest drawing wins ---

let busy = false;
let stale = false;

async function update() {
  stale = true;
  if (busy) return;
  busy = true;
  byId('result').setAttribute('aria-busy', 'true');
  while (stale) {
    stale = false;
    try {
      await answer();
    } catch (error) {
      say(error.message, true);
    }
  }
  busy = false;
  byId('result').setAttribute('aria-busy', 'false');
}

async function answer() {
  const seed = Number(byId('seed').value) || 0;
  const began = performance.now();
  const image = await compute(seed);
  if (!image) return;
  output.width = image.width;
  output.height = image.height;
  output.getContext('2d').drawImage(image, 0, 0);
  const resampled = ![undefined, String(seed)].includes(output.dataset.seed);
  output.dataset.seed = seed;
  const which = model.noise ? ` for seed ${seed}` : '';
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  output.setAttribute('aria-label', `Result${which}`);
  byId('save').disabled = false;
  const why = resampled ? ' Samples differ little: the only noise is dropout.' : '';
  say(`Result${which}, ${image.width}×${image.height} pixels, in ${seconds} s.${why}${note}`);
}

let compute = async seed => {
  const body = await new Promise(done => input.toBlob(done, 'image/png'));
  const address = model.noise ? `predict?seed=${seed}` : 'predict';
  const response = await request(address, { method: 'POST', body });
  const step = response.headers.get('X-Step');
  if (model && step) {
    model.step = Number(step); // a newer checkpoint may answer
    describe();
  }
  return createImageBitmap(await response.blob());
};

async function request(address, options = {}) {
  for (;;) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    let response;
    try {
      response = await fetch(address, { ...options, headers });
    } catch (error) {
      throw new Error(
        location.protocol === 'file:'
          ? 'Opened as a file, this page cannot start: run "python3 -m http.server" in its folder, and open localhost:8000'
          : 'The server does not answer: is it still running?',
      );
    }
    if (response.ok) return response;
    if (response.status === 503) {
      say('The server is busy: trying again …');
      await wait(Number(response.headers.get('Retry-After')) || 1);
    } else if (response.status === 401) {
      await askForToken();
    } else {
      const { error } = await response.json().catch(() => ({}));
      throw new Error(error || `The server answers ${response.status}`);
    }
  }
}

function askForToken() {
  byId('ask-title').textContent = token ? 'This token is wrong' : 'This server needs a token';
  byId('ask').showModal();
  return new Promise(done => {
    byId('ask').onclose = () => {
      token = byId('token').value;
      done();
    };
  });
}
byId('ask-done').addEventListener('click', () => byId('ask').close());
byId('token').addEventListener('keydown', event => event.key === 'Enter' && byId('ask').close());

// Without a server: the model runs in a worker of this page.
function useOnnx() {
  const worker = new Worker('onnx.js');
  const ask = message =>
    new Promise((done, fail) => {
      worker.onmessage = ({ data }) => (data.error ? fail(new Error(data.error)) : done(data));
      worker.onerror = event => fail(new Error(event.message || 'The model cannot run here'));
      worker.postMessage(message);
    });
  say('Loading the model …');
  if (new URLSearchParams(location.search).has('wasm')) model.onnx.webgpu = false;
  const loaded = ask(model).then(({ runner }) => {
    byId('model').textContent += `, in your browser by ${runner}`;
  });
  compute = async seed => {
    await loaded;
    const { image } = await ask({ image: snapshot(), seed });
    return createImageBitmap(image);
  };
}

// --- Files ---

async function open(file) {
  if (!file) return;
  try {
    const image = await createImageBitmap(file);
    start(image, isPair(image));
  } catch (error) {
    say(`${file.name || 'This'} cannot be read as an image`, true);
  }
}

async function openExample(number) {
  try {
    start(await createImageBitmap(await getExample(number)));
  } catch (error) {
    say(error.message, true);
  }
}

const getExample = async number => (await request(`examples/${number}.png`)).blob();

function save(canvas, name) {
  canvas.toBlob(blob => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, 'image/png');
}

byId('open').addEventListener('click', () => byId('file').click());
byId('file').addEventListener('change', event => {
  open(event.target.files[0]);
  event.target.value = '';
});
document.addEventListener('paste', event => {
  const file = [...event.clipboardData.files].find(one => one.type.startsWith('image/'));
  if (file) open(file);
});
document.addEventListener('dragover', event => {
  event.preventDefault();
  document.body.classList.add('dropping');
});
document.addEventListener('dragleave', event => {
  if (!event.relatedTarget) document.body.classList.remove('dropping');
});
document.addEventListener('drop', event => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  open(event.dataTransfer.files[0]);
});

// --- The other controls ---

byId('undo').addEventListener('click', undo);
byId('redo').addEventListener('click', redo);
byId('clear').addEventListener('click', clear);
byId('save').addEventListener('click', () => {
  save(output, model.noise ? `result-${output.dataset.seed}.png` : 'result.png');
});
byId('save-input').addEventListener('click', () => save(input, 'drawing.png'));
byId('seed').addEventListener('change', update);
byId('sample').addEventListener('click', () => {
  byId('seed').value = Math.floor(Math.random() * SEEDS);
  update();
});
byId('size').addEventListener('input', event => {
  byId('size-value').textContent = event.target.value;
});

// --- The start ---

function addColor({ color, name }, number) {
  const label = document.createElement('label');
  label.title = number < 9 ? `${name} (${number + 1})` : name;
  const radio = document.createElement('input');
  Object.assign(radio, { type: 'radio', name: 'color', value: color });
  const swatch = document.createElement('span');
  swatch.className = 'swatch';
  swatch.style.background = color;
  label.append(radio, swatch, name);
  byId('palette').append(label);
}

// Any color, for inputs that are no labels
function addPicker() {
  const label = document.createElement('label');
  const radio = document.createElement('input');
  Object.assign(radio, { type: 'radio', name: 'color', value: '#7f7f7f' });
  const picker = document.createElement('input');
  Object.assign(picker, { type: 'color', value: '#7f7f7f' });
  picker.setAttribute('aria-label', 'Another color');
  picker.addEventListener('input', () => {
    radio.value = picker.value;
    radio.checked = true;
  });
  label.append(radio, picker, 'another');
  byId('palette').append(label);
}

async function addExample(number) {
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-label', `Example ${number + 1}`);
  const image = document.createElement('img');
  image.alt = '';
  Object.assign(image, { width: model.width, height: model.height });
  button.append(image);
  button.addEventListener('click', () => openExample(number));
  const item = document.createElement('li');
  item.append(button);
  byId('examples').append(item);
  try {
    image.src = URL.createObjectURL(await getExample(number));
  } catch (error) {
    say(error.message, true);
  }
}

function openRandom() {
  const last = Number(byId('random').dataset.last || 0);
  const step = 1 + Math.floor(Math.random() * (model.examples - 1));
  const number = (last + step) % model.examples;
  byId('random').dataset.last = number;
  return openExample(number);
}
byId('random').addEventListener('click', openRandom);

function describe() {
  const { name, step, width, height } = model;
  byId('model').textContent = `${name}, ${step.toLocaleString('en')} steps, ${width}×${height}`;
}

function prepare() {
  const { name, width, height, kind, palette, background } = model;
  describe();
  byId('about').textContent = ABOUT[kind] || '';
  byId('about').hidden = !ABOUT[kind];
  for (const part of ['noise', 'sample-key', 'about-noise']) byId(part).hidden = !model.noise;
  document.title = `${name}: pix2pix`;
  for (const canvas of [input, output]) Object.assign(canvas, { width, height });
  sheet = model.sheet;
  palette.forEach(addColor);
  if (!['labels', 'lines'].includes(kind)) addPicker();
  const first = palette.find(({ color }) => color !== background) || palette[0];
  check('color', kind === 'labels' && palette.length > 2 ? palette[2].color : first.color);
  check('tool', kind === 'labels' ? 'rectangle' : 'brush');
  if (kind === 'lines') byId('brush-name').textContent = 'Pen';
  byId('size').value = kind === 'lines' ? 2 : 12;
  resize(0);
  prepareEdges();
  cursor[0] = width >> 1;
  cursor[1] = height >> 1;
}

// For a model whose inputs cannot be drawn: `model` stays undefined, so that no control does anything.
function refuse({ name, step }) {
  byId('model').textContent = `${name}, ${step.toLocaleString('en')} steps`;
  byId('about').textContent = ABOUT.files;
  byId('about').hidden = false;
  document.querySelector('main').hidden = true;
}

async function main() {
  try {
    const found = await (await request('model.json')).json();
    if (found.kind === 'files') return refuse(found);
    model = found;
    prepare();
    if (model.onnx) useOnnx();
    for (let number = 0; number < model.examples; number++) addExample(number);
    byId('random').hidden = model.examples < 2;
    if (model.examples) await openExample(0);
    else clear();
  } catch (error) {
    if (!model) byId('model').textContent = '';
    say(error.message, true);
  }
}

main();
