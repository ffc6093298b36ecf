/** Icons as SVG paths on a grid of 24, drawn with lines. */

const PATHS = {
  click: "M9.5 3v3m0 7v3M3 9.500h3m7 0h3M11.500 11.500l9 3.300-4 1.700-1.700 4-3.300-9Z",
  brush:
    "M20 4 10.5 13.5M20 4c-1.5-1-3 0-4 1l-7 8 2 2 8-7c1-1 2-2.5 1-4ZM9 14c-2.5 0-3.5 1.5-3.5 3.5 0 1-.5 2-2 2.5 4 1 8 .5 8-3.5",
  eraser: "m8 20-4.5-4.5a1.5 1.5 0 0 1 0-2L13 4a1.5 1.5 0 0 1 2 0l5 5a1.5 1.5 0 0 1 0 2L11 20H8Zm12 0h-9M8.5 8.5l7 7",
  polygon: "M5 9 12 3.5l7.5 6L16 20H8L5 9Z",
  load: "M12 15V4m0 0L8 8m4-4 4 4M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4",
  save: "M12 4v11m0 0 4-4m-4 4-4-4M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4",
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5m5 5H10a6 6 0 0 0 0 12h3",
  play: "M7 4.5v15l12-7.5-12-7.5Z",
  pause: "M7 5h3v14H7V5Zm7 0h3v14h-3V5Z",
  first: "M6 5v14M19 5l-9 7 9 7V5Z",
  last: "M18 5v14M5 5l9 7-9 7V5Z",
  previous: "m15 5-8 7 8 7V5Z",
  next: "m9 5 8 7-8 7V5Z",
  forward: "M4 12h15m0 0-6-6m6 6-6 6",
  backward: "M20 12H5m0 0 6-6m-6 6 6 6",
  both: "M3 12h18M3 12l5-5m-5 5 5 5m13-5-5-5m5 5-5 5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "m6 6 12 12M18 6 6 18",
  trash: "M4 7h16M9 7V4h6v3m3 0-1 13H7L6 7m4 4v5m4-5v5",
  pencil: "m4 20 1-4L16 5l3 3L8 19l-4 1Zm9.5-12.5 3 3",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  hidden:
    "M4 4l16 16M9.5 9.5a3 3 0 0 0 4.5 4.5M6.5 6.5C4 8.5 2.5 12 2.5 12S6 18.5 12 18.5c2 0 3.5-.5 5-1.5M10 5.700c.6-.1 1.300-.2 2-.2 6 0 9.5 6.5 9.5 6.5s-.8 1.5-2.300 3",
  folder: "M3 6a1 1 0 0 1 1-1h5l2 2.5h9a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6Z",
  film: "M4 4h16v16H4V4Zm4 0v16m8-16v16M4 8h4m-4 4h16M4 16h4m8-8h4m-4 8h4",
  help: "M9 9a3 3 0 1 1 4.5 2.600c-1 .6-1.5 1.200-1.5 2.400m0 3.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  theme: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  fit: "M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5",
  home: "M4 11 12 4l8 7v9h-5v-6H9v6H4v-9Z",
  warning: "M12 4 2.5 20h19L12 4Zm0 6v5m0 2.5v.01",
  done: "m5 13 4.5 4.5L19 7",
  more: "M6 12v.01M12 12v.01M18 12v.01",
  target: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-5a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
};

/** @typedef {keyof typeof PATHS} IconName */

const SVG = "http://www.w3.org/2000/svg";

/** @param {IconName} name @returns {SVGSVGElement} */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}
