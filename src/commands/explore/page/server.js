// ---- Requests to the server, and what goes wrong with them

import { viewOf } from "./now.js";

/** Tells this tab from others. `randomUUID` is missing where a page came by plain http from another machine. */
const client = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");

const GONE = "The server has gone; start yolo-cam explore again.";

/** What nobody needs to hear of: requests that are no longer wanted. */
class Unwanted extends Error {}

/** Requests for what is in view that are under way. */
let underWay = 0;
export const isBusy = () => underWay > 0;

export function showProblem(text) {
  byId("problem-text").textContent = text;
  byId("problem").hidden = false;
}

/** Shows an error as the server worded it. */
export function report(error) {
  if (error instanceof Unwanted || error.name === "AbortError") return;
  showProblem(error.message);
  if (error instanceof TypeError || error instanceof ReferenceError) console.error(error);
}

function hideProblem() {
  byId("problem").hidden = true;
  byId("problem-text").textContent = "";
}

export const hasGone = () => byId("problem-text").textContent === GONE;

byId("problem-close").addEventListener("click", hideProblem);

/** The bytes of an answer, and its headers. */
async function fetched(address, options = {}) {
  let [response, bytes] = [];
  try {
    response = await fetch(address, options);
    bytes = await response.arrayBuffer();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // Said once: it stays until it is closed.
    throw new Error(GONE);
  }
  if (hasGone()) hideProblem();
  if (response.ok) return { bytes, headers: response.headers };
  if (response.status === 409) throw new Unwanted();
  throw new Error(new TextDecoder().decode(bytes).trim() || `The server answered ${response.status}.`);
}

const textOf = (bytes) => new TextDecoder().decode(bytes);

/** How often something was asked. Requests come on several connections: by this the server knows which is the newest. */
let turn = 0;

/** Asks something of a picture. `when`: "view", "next" or "scan". */
export async function post({ id }, what, body, { pane = 0, when = "view", signal } = {}) {
  underWay += when === "view";
  turn += 1;
  try {
    return await fetched(`/api/pictures/${id}/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client, pane, when, turn, view: viewOf(pane), ...body }),
      signal,
    });
  } finally {
    underWay -= when === "view";
  }
}

export const postForJson = async (...request) => JSON.parse(textOf((await post(...request)).bytes));

/** A line of JSON, and the bytes behind it. */
export async function postForBoth(...request) {
  const { bytes } = await post(...request);
  const end = new Uint8Array(bytes).indexOf(10);
  return [JSON.parse(textOf(bytes.slice(0, end))), bytes.slice(end + 1)];
}

export const listPictures = async () => JSON.parse(textOf((await fetched("/api/pictures")).bytes));

export async function upload(file) {
  const address = `/api/pictures?${new URLSearchParams({ name: file.name })}`;
  return JSON.parse(textOf((await fetched(address, { method: "POST", body: file })).bytes));
}

/**
 * Runs a job for the newest wish only. While one runs, newer wishes wait, and of these only the last is kept: so that a slider that
 * moves faster than the server answers still shows something all the time. `drop()` ends what runs.
 */
export function newestOnly(job) {
  let [running, next] = [null, null];
  async function run() {
    while (next) {
      const wish = next;
      next = null;
      running = new AbortController();
      try {
        await job(running.signal, ...wish);
      } catch (error) {
        report(error);
      }
    }
    running = null;
  }
  const start = (...wish) => {
    next = wish;
    if (!running) run();
  };
  start.drop = () => {
    next = null;
    running?.abort();
  };
  return start;
}
