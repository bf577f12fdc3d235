// @ts-check
"use strict";
// The error surface: two numbers free, the others as the sliders have them; for each loss a map with lines of equal
// error, the way down from where the sliders are, and an arrow downhill at the pointer. All numbers come from `run`.
/**
 * @typedef {{ key: string, own: boolean, code: any[][], loss: number, gradient: number, prediction: number }} Side
 * @typedef {{ run: (code: any[][], input: number[]) => number[][], input: number[], sides: Side[], names: string[],
 *   ranges: [number, number][], axes: [number, number], words: Record<string, string>,
 *   written: (x: number) => string, move: (places: number[], values: number[]) => void }} Ground
 */
const surface = (() => {
  const SIZE = 240; // pixels of a map, each way
  const GRID = 40; // squares of the grid on which the error is computed
  const BANDS = 12; // between the least error and the greatest
  const MOST = 3000; // steps; whoever has not arrived by then is given up
  const NEAR = 0.1; // has arrived: neither of the two predictions is further than that from its target
  const REACH = 2.5; // length of the arrow, in the numbers' own units, for a gradient of length 1
  const [LOW, HIGH] = [[24, 42, 92], [244, 214, 150]];
  const SVG = "http://www.w3.org/2000/svg";

  /** @param {string} tag @param {Record<string, string | number>} attributes @returns {Element} */
  function drawn(tag, attributes) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
    return node;
  }

  /**
   * Put the maps into the panel. What is given back draws them anew.
   * @param {HTMLElement} where
   * @param {Ground} ground
   * @returns {() => void}
   */
  return function surface(where, ground) {
    const { run, input, sides, names, ranges, words, written, move } = ground;
    const [across, up, rate] = /** @type {[HTMLSelectElement, HTMLSelectElement, HTMLInputElement]} */ (
      ["across", "up", "rate"].map((name) => where.querySelector(`[name=${name}]`))
    );
    const rateShown = /** @type {HTMLOutputElement} */ (where.querySelector("output"));
    names.forEach((name, i) => {
      across.add(new Option(name, String(i), false, i === ground.axes[0]));
      up.add(new Option(name, String(i), false, i === ground.axes[1]));
    });
    /** @type {[number, number] | null} */
    let pointer = null; // where the mouse is, in the numbers' own units
    let known = ""; // for which other numbers the maps are painted

    const maps = sides.map((side) => {
      const figure = document.createElement("figure");
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = SIZE;
      const svg = drawn("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": words[side.key] });
      const layer = { path: drawn("polyline", { class: "path" }), dots: drawn("path", { class: "dots" }) };
      const start = drawn("circle", { r: 5, class: "start" });
      const arrow = drawn("path", { class: "arrow" });
      const [x, y] = [drawn("text", { x: SIZE / 2, y: SIZE - 6, class: "x" }), drawn("text", { x: 6, y: 16 })];
      svg.append(layer.path, layer.dots, start, arrow, x, y);
      const frame = document.createElement("div");
      frame.append(canvas, svg);
      const caption = document.createElement("figcaption");
      const [title, count, numbers] = ["b", "strong", "span"].map((tag) => document.createElement(tag));
      caption.append(title, count, numbers);
      figure.append(caption, frame);
      title.textContent = words[side.key];
      where.querySelector(".maps")?.append(figure);
      const held = (/** @type {PointerEvent} */ event) => {
        const box = svg.getBoundingClientRect();
        const place = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
        return /** @type {[number, number]} */ (
          free().map((i, k) => ranges[i][0] + Math.min(1, Math.max(0, place[k])) * (ranges[i][1] - ranges[i][0]))
        );
      };
      svg.addEventListener("pointermove", (event) => {
        pointer = held(/** @type {PointerEvent} */ (event));
        point();
      });
      svg.addEventListener("pointerleave", () => {
        pointer = null;
        point();
      });
      svg.addEventListener("click", (event) => move(free(), held(/** @type {PointerEvent} */ (event))));
      return { side, canvas, svg, ...layer, start, arrow, x, y, count, numbers, said: "" };
    });

    for (const [choice, other] of [[across, up], [up, across]]) {
      choice.addEventListener("change", () => {
        if (choice.value === other.value) other.value = String(names.findIndex((_, i) => String(i) !== choice.value));
        draw();
      });
    }
    rate.addEventListener("input", draw);

    /** Which numbers are free. @returns {[number, number]} */
    function free() {
      return [Number(across.value), Number(up.value)];
    }

    /** What the learning rate is: the slider goes by powers of ten. @returns {number} */
    function speed() {
      return Number((10 ** Number(rate.value)).toPrecision(2));
    }

    /** The same numbers but for two. @param {number[]} values @returns {number[]} */
    function moved(values) {
      const numbers = [...input];
      free().forEach((place, k) => (numbers[place] = values[k]));
      return numbers;
    }

    /** A place on the map in its pixels. @param {number[]} values @returns {string[]} */
    function pixels(values) {
      const part = free().map((i, k) => (values[k] - ranges[i][0]) / (ranges[i][1] - ranges[i][0]));
      return [part[0] * SIZE, (1 - part[1]) * SIZE].map((x) => Math.max(-1e4, Math.min(1e4, x)).toFixed(1));
    }

    /** The way down from where the sliders are; `arrived` is -1 where it does not. @param {Side} side */
    function descent(side) {
      let here = free().map((i) => input[i]);
      const path = [here];
      const targets = input.slice(names.length);
      for (let step = 0; step <= MOST; step += 1) {
        const registers = run(side.code, moved(here));
        const off = free().map((i) => Math.abs(registers[side.prediction][i] - targets[i]));
        if (Math.max(...off) < NEAR) return { path, arrived: step };
        const gradient = registers[side.gradient];
        here = here.map((x, k) => x - speed() * gradient[free()[k]]);
        if (!here.every(Number.isFinite)) break;
        path.push(here);
      }
      return { path, arrived: -1 };
    }

    /** Paint the error of all places. @param {HTMLCanvasElement} canvas @param {Side} side */
    function paint(canvas, side) {
      /** @type {number[][]} */
      const grid = [];
      const [xs, ys] = free().map((i) =>
        Array.from({ length: GRID + 1 }, (_, k) => ranges[i][0] + (k / GRID) * (ranges[i][1] - ranges[i][0])),
      );
      for (const y of ys) grid.push(xs.map((x) => run(side.code, moved([x, y]))[side.loss][0]));
      const all = grid.flat().filter(Number.isFinite);
      const [least, most] = [Math.min(...all), Math.max(...all)];
      const context = canvas.getContext("2d");
      if (!context) return;
      const image = context.createImageData(SIZE, SIZE);
      for (let row = 0; row < SIZE; row += 1) {
        const v = (1 - row / (SIZE - 1)) * GRID;
        const j = Math.min(GRID - 1, Math.floor(v));
        for (let column = 0; column < SIZE; column += 1) {
          const u = (column / (SIZE - 1)) * GRID;
          const i = Math.min(GRID - 1, Math.floor(u));
          const below = grid[j][i] + (grid[j][i + 1] - grid[j][i]) * (u - i);
          const above = grid[j + 1][i] + (grid[j + 1][i + 1] - grid[j + 1][i]) * (u - i);
          const part = (below + (above - below) * (v - j) - least) / (most - least || 1);
          const band = Math.min(BANDS - 1, Math.floor(part * BANDS)) / (BANDS - 1) || 0;
          const at = (row * SIZE + column) * 4;
          for (let c = 0; c < 3; c += 1) image.data[at + c] = LOW[c] + (HIGH[c] - LOW[c]) * band;
          image.data[at + 3] = 255;
        }
      }
      context.putImageData(image, 0, 0);
    }

    /** The arrows and the numbers, at the pointer or else where the sliders are. */
    function point() {
      const here = pointer ?? free().map((i) => input[i]);
      for (const { side, arrow, numbers, svg, said } of maps) {
        const registers = run(side.code, moved(here));
        const slope = free().map((i) => registers[side.gradient][i]);
        const size = Math.hypot(...slope);
        const tip = here.map((x, k) => x - slope[k] * REACH);
        const [[x, y], [a, b]] = [pixels(here), pixels(tip)].map((place) => place.map(Number));
        const way = Math.atan2(b - y, a - x);
        const head = Math.min(9, Math.hypot(a - x, b - y) / 2);
        const side1 = [a - head * Math.cos(way - 0.5), b - head * Math.sin(way - 0.5)];
        const side2 = [a - head * Math.cos(way + 0.5), b - head * Math.sin(way + 0.5)];
        arrow.setAttribute("d", `M${x} ${y}L${a} ${b}M${side1}L${a} ${b}L${side2}`);
        const text = words.here
          .replace("{at}", here.map(written).join(", "))
          .replace("{loss}", written(registers[side.loss][0]))
          .replace("{length}", written(size));
        numbers.textContent = text;
        svg.setAttribute("aria-label", `${words[side.key]}: ${said}. ${text}`);
      }
    }

    function draw() {
      rateShown.textContent = String(speed());
      const fixed = JSON.stringify([free(), input.map((x, i) => (free().includes(i) ? 0 : x))]);
      for (const map of maps) {
        if (fixed !== known) paint(map.canvas, map.side);
        const { path, arrived } = descent(map.side);
        const places = path.map(pixels);
        map.path.setAttribute("points", places.map((place) => place.join()).join(" "));
        map.dots.setAttribute("d", places.slice(0, 200).map((place) => `M${place.join(" ")}h0`).join(""));
        map.start.setAttribute("cx", places[0][0]);
        map.start.setAttribute("cy", places[0][1]);
        map.said = (arrived < 0 ? words.never : words.arrived).replace("{n}", String(arrived < 0 ? MOST : arrived));
        map.count.textContent = map.said;
        map.x.textContent = `${names[free()[0]]} →`;
        map.y.textContent = `↑ ${names[free()[1]]}`;
      }
      known = fixed;
      point();
    }

    return draw;
  };
})();
