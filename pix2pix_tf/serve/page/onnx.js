'use strict';
// A worker for the page without a server: runs model.onnx by onnxruntime-web, which is in ort/.
// First it gets model.json, then { image, seed } for every answer.

const ORT = new URL('ort/', location.href).href;

let model;
let session;

onmessage = async ({ data }) => {
  try {
    postMessage(data.image ? { image: await run(data.image, data.seed) } : await load(data));
  } catch (error) {
    postMessage({ error: `The model cannot run here: ${error.message || error}` });
  }
};

// By the graphics card where the browser can, else by WebAssembly. Gives the way in words.
async function load(json) {
  model = json;
  const blank = new ImageData(model.width, model.height);
  const gpu = model.onnx.webgpu && self.navigator.gpu;
  const adapter = gpu && (await gpu.requestAdapter().catch(() => null));
  if (adapter) {
    try {
      await start('webgpu', 'ort-wasm-simd-threaded.asyncify');
      await run(blank, 0); // some cards fail only here
      return { runner: 'WebGPU' };
    } catch (error) {
      console.warn(`no WebGPU: ${error.message || error}`);
    }
  }
  await start('wasm', 'ort-wasm-simd-threaded');
  await run(blank, 0);
  return { runner: 'WebAssembly' };
}

async function start(provider, runtime) {
  importScripts(`${ORT}ort.${provider}.min.js`);
  // Not its usual name, .mjs, which some hosts send with a type that browsers refuse
  ort.env.wasm.wasmPaths = { mjs: `${ORT}${runtime}.js`, wasm: `${ORT}${runtime}.wasm` };
  // Threads need the headers COOP and COEP, which a plain static host does not send
  ort.env.wasm.numThreads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const file = new URL(model.onnx.file, location.href).href;
  session = await ort.InferenceSession.create(file, { executionProviders: [provider] });
}

async function run(image, seed) {
  const { width, height, data } = image;
  const values = new Float32Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    for (let channel = 0; channel < 3; channel++) values[to++] = data[from + channel] / 127.5 - 1;
  }
  const feeds = { input: new ort.Tensor('float32', values, [1, height, width, 3]) };
  const random = generator(seed);
  for (const [name, shape] of Object.entries(model.onnx.masks)) {
    feeds[name] = mask([1, ...shape], model.onnx.dropout, random);
  }
  const { output } = await session.run(feeds);
  return toImage(await output.getData(), width, height);
}

function mask(shape, dropout, random) {
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  for (let i = 0; i < values.length; i++) values[i] = random() < dropout ? 0 : 1 / (1 - dropout);
  return new ort.Tensor('float32', values, shape);
}

// Rounds as TensorFlow does when it writes the PNG files of an export.
function toImage(values, width, height) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < values.length; to++) {
    for (let channel = 0; channel < 3; channel++, to++) {
      image.data[to] = Math.floor(Math.min(1, Math.max(0, (values[from++] + 1) / 2)) * 255.5);
    }
    image.data[to] = 255;
  }
  return image;
}

// Numbers from 0 to 1 that depend on the seed alone (mulberry32).
function generator(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
