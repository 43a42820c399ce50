"use strict";
// The interactive charts: what they show stands beside them as JSON; here it is chosen from, and drawn with Plotly.
const charts = JSON.parse(document.getElementById("charts-data").textContent);
// Okabe and Ito's palette, told apart by people with any kind of color vision; the markers differ as well.
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C00", "#7A7A7A"];
const MARKERS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star"];

// Colors and markers belong to a method, whichever chart shows it and whatever else is shown; NCFL has the first.
const methods = ["NCFL"];
function look(method) {
  if (!methods.includes(method)) methods.push(method);
  const place = methods.indexOf(method);
  return { color: COLORS[place % COLORS.length], symbol: MARKERS[(place + Math.floor(place / 8)) % MARKERS.length] };
}

function paint(chart, traces, layout) {
  const css = getComputedStyle(document.documentElement);
  const [ink, rule] = [css.getPropertyValue("--ink"), css.getPropertyValue("--line")];
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule };
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, family: "inherit", size: 13 },
    margin: { l: 55, r: 15, t: 30, b: 50 },
    hovermode: "closest",
    legend: { orientation: "h", y: -0.22 },
  };
  for (const key of Object.keys(layout).filter((name) => /^[xy]axis/.test(name))) Object.assign(layout[key], axis);
  Plotly.react(chart, traces, { ...base, ...layout }, { responsive: true, displaylogo: false });
}

function fill(select, values, chosen) {
  const before = chosen ?? select.value;
  select.replaceChildren(...values.map(([value, text]) => new Option(text, value)));
  select.value = values.some(([value]) => value === before) ? before : values[0][0];
}

function draw_tradeoff() {
  const section = document.getElementById("tradeoff");
  const select = section.querySelector("select");
  const chart = section.querySelector(".plot");
  const { axis, sides } = charts.tradeoff;
  const sigmas = [...new Set(sides.flatMap((side) => Object.keys(side.sigma)))];
  if (!sigmas.length) return;
  section.hidden = false;
  fill(select, sigmas.map((sigma) => [sigma, `σ = ${sigma}`]), sigmas[sigmas.length - 1]);
  function draw() {
    const traces = [];
    for (const [place, side] of sides.entries()) {
      for (const point of side.sigma[select.value] || []) {
        traces.push({
          x: [point.gflops], y: [point.psnr], name: point.method, legendgroup: point.method,
          showlegend: !traces.some((trace) => trace.name === point.method),
          xaxis: place ? "x2" : "x", yaxis: place ? "y2" : "y", mode: "markers",
          marker: { ...look(point.method), size: point.method === "NCFL" ? 16 : 11 },
          hovertemplate: "%{y:.2f} dB, %{x:.0f} GFLOPs",
        });
      }
    }
    const wide = chart.clientWidth > 560;
    const titles = sides.map((side, place) => ({
      text: side.title, showarrow: false, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom",
      x: wide && place ? 0.55 : 0, y: wide || !place ? 1 : 0.38,
    }));
    const lines = wide ? axis : axis.replace(" at ", "<br>at ").replace("; ", ";<br>");
    const log = { type: "log", title: { text: lines, font: { size: 12 } } };
    paint(chart, traces, {
      height: wide ? 430 : 760,
      annotations: titles,
      legend: { orientation: "h", y: wide ? -0.22 : -0.17 },
      xaxis: { ...log, domain: wide ? [0, 0.45] : [0, 1], anchor: "y" },
      xaxis2: { ...log, domain: wide ? [0.55, 1] : [0, 1], anchor: "y2" },
      yaxis: { title: { text: "PSNR (dB)" }, domain: wide ? [0, 1] : [0.62, 1], anchor: "x" },
      yaxis2: { title: { text: "PSNR (dB)" }, domain: wide ? [0, 1] : [0, 0.38], anchor: "x2" },
    });
  }
  select.addEventListener("change", draw);
  redraws.push(draw);
  draw();
}

const EVERY = ""; // of all sequences
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function draw_frames() {
  const section = document.getElementById("by-frame");
  const [dataset, sigma, sequence] = section.querySelectorAll("select");
  const chart = section.querySelector(".plot");
  const names = Object.keys(charts.frames);
  if (!names.length) return;
  section.hidden = false;
  const chosen = () => charts.frames[dataset.value];
  fill(dataset, names.map((name) => [name, `${name} (${chosen_label(name)})`]), names.includes("set8") ? "set8" : names[0]);
  function chosen_label(name) {
    return `${charts.frames[name].label}, ${charts.frames[name].space}`;
  }
  function choose() {
    const sigmas = Object.keys(chosen().sigma).sort((a, b) => a - b);
    fill(sigma, sigmas.map((level) => [level, level === "0" ? "none added" : level]), sigmas[sigmas.length - 1]);
    list();
  }
  function list() {
    const found = Object.keys(chosen().sigma[sigma.value]);
    fill(sequence, [[EVERY, "all: the mean of each"], ...found.map((name) => [name, name])]);
    draw();
  }
  function draw() {
    const sequences = chosen().sigma[sigma.value];
    const every = sequence.value === EVERY;
    const shown = every ? Object.keys(sequences) : [sequence.value];
    const found = [...new Set(shown.flatMap((name) => Object.keys(sequences[name])))];
    found.sort((a, b) => (b === "NCFL") - (a === "NCFL"));
    const traces = found.map((method) => {
      const { color, symbol } = look(method);
      const values = every
        ? shown.filter((name) => method in sequences[name]).map((name) => [name, mean(sequences[name][method])])
        : sequences[sequence.value][method].map((psnr, frame) => [frame, psnr]);
      return {
        x: values.map(([x]) => x), y: values.map(([, y]) => y), name: method,
        mode: every ? "markers" : "lines+markers", marker: { color, symbol, size: every ? 10 : 6 },
        line: { color, width: method === "NCFL" ? 3 : 1.5 }, hovertemplate: "%{y:.2f} dB",
      };
    });
    const xaxis = every ? { type: "category" } : { title: { text: "frame" } };
    paint(chart, traces, { height: 460, hovermode: "x", xaxis, yaxis: { title: { text: "PSNR (dB)" } } });
  }
  dataset.addEventListener("change", choose);
  sigma.addEventListener("change", list);
  sequence.addEventListener("change", draw);
  redraws.push(draw);
  choose();
}

const redraws = [];
draw_tradeoff();
draw_frames();
const redraw = () => redraws.forEach((draw) => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
matchMedia("(max-width: 700px)").addEventListener("change", redraw);
