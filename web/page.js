// The page: ways in, settings, and what is done with each photo.

import { written } from "./answer.js";
import * as camera from "./camera.js";
import { Card, troubleWords } from "./card.js";
import { prepared } from "./photo.js";
import { address, ask, health, pause, Trouble } from "./service.js";
import { Turns } from "./turns.js";
import { language, say, share, speak, tag, translate } from "./words.js";

const AT_ONCE = 3;
const EXAMPLES = 6;

const $ = (id) => document.getElementById(id);
const on = (id, event, act) => $(id).addEventListener(event, act);

const cards = [];
const turns = new Turns(AT_ONCE);
const catalogues = new Map(); // what each network knows, by the address it was asked at
let networks = []; // those that are loaded
let isWatching = false;
let unnamed = 0; // photos that came without a name of their own
let unheard = [];

// Photos come in

function add(files, name) {
  if (!files.length) return notice("noPicture");
  if (!isWatching) notice("");
  const added = files.map((file) => new Card(file, name ?? (() => file.name), does));
  cards.push(...added);
  $("gallery").append(...added.map(({ root }) => root));
  for (const card of added) look(card);
  showPage();
  added[0].root.scrollIntoView({ block: "nearest" });
}

function numbered(key) {
  const number = ++unnamed;
  return () => say(key, { number });
}

function listenForPhotos() {
  const chosen = ({ target }) => {
    const files = [...target.files];
    target.value = ""; // the same file may be chosen again
    if (files.length) add(files);
  };
  on("choose", "click", () => $("files").click());
  on("files", "change", chosen);
  on("snap", "change", chosen);
  camera.set((photo) => add([photo], numbered("camera")), () => $("snap").click());
  on("take", "click", () => {
    const isPhone = matchMedia("(pointer: coarse)").matches;
    if (isPhone && !camera.isAllowed()) $("snap").click();
    else camera.open();
  });
  addEventListener("paste", ({ clipboardData: { files } }) => {
    // Browsers call what was copied "image.png", whatever it was.
    add([...files], files.length === 1 ? numbered("pasted") : undefined);
  });
  listenForDrops();
}

function listenForDrops() {
  addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser leaves the page to open the photo
    $("veil").hidden = !event.dataTransfer.types.includes("Files");
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) $("veil").hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("veil").hidden = true;
    add([...event.dataTransfer.files]);
  });
}

// What is done with a photo

const does = { again: look, cancel: (card) => card.stop.abort(), remove, save, seek, copy };

async function look(card) {
  card.stop?.abort();
  const stop = new AbortController();
  card.set({ stop, phase: "waiting", note: () => "" });
  const isOld = () => card.stop !== stop; // asked anew, or removed
  try {
    const reply = await turns.take(() => answered(card, stop.signal, isOld), stop.signal);
    if (isOld()) return;
    const sought = card.seeks?.id; // may be unknown to the network that answers now
    card.set({ phase: "answered", reply, seeks: null });
    hear(card.heard());
    if ($("heat").checked) seek(card, sought);
    further(card, isOld);
  } catch (error) {
    if (isOld()) return;
    if (error.name === "AbortError") card.set({ phase: "stopped" });
    else failed(card, error);
  } finally {
    showProgress();
  }
}

async function answered(card, signal, isOld) {
  card.set({ phase: "looking" });
  if (!card.blob) {
    const { blob, shown } = await prepared(card.file);
    card.blob = blob;
    if (shown) card.picture(shown);
  }
  signal.throwIfAborted();
  const asked = { model: chosenNetwork(), lang: language() };
  const onWait = (seconds) => isOld() || card.set({ phase: "later", seconds });
  const reply = await ask("predict", { photo: card.blob, options: asked, signal, onWait });
  if (!Array.isArray(reply.predictions)) throw new Trouble("strange", { status: 200 });
  card.asked = asked;
  return reply;
}

/** What an answer is not kept waiting for. */
async function further(card, isOld) {
  try {
    const { groups } = await catalogue(card.reply.model);
    if (!isOld()) card.set({ groups });
    if (card.url) return;
    // This browser can't show the photo, but the service can read it.
    const options = { width: 1280 };
    const shown = await turns.take(() => ask("image", { photo: card.blob, options, as: "blob" }));
    if (!isOld()) card.picture(shown);
  } catch {
    // The answer is there without it.
  }
}

function failed(card, error) {
  const trouble = error instanceof Trouble ? error : new Trouble("refused");
  if (trouble !== error) reportError(error); // a mistake of ours
  card.set({ phase: "trouble", trouble });
  hear(card.heard());
  if (trouble.code === "offline") watch();
}

/** Show the heat map for a class, or for the most probable one. */
async function seek(card, wanted) {
  const { predictions } = card.reply;
  const id = (predictions.find((one) => one.id === wanted) ?? predictions[0]).id;
  if (card.seeks?.url) URL.revokeObjectURL(card.seeks.url);
  const seeks = { id, url: null, trouble: null };
  card.set({ seeks });
  try {
    const options = { class: id, model: card.asked.model };
    const map = await turns.take(() => ask("explain", { photo: card.blob, options, as: "blob" }));
    if (card.seeks === seeks) seeks.url = URL.createObjectURL(map);
  } catch (trouble) {
    seeks.trouble = trouble;
  }
  if (card.seeks !== seeks) return;
  card.show();
  hear(`${card.name()}: ${card.part("figcaption").textContent}`);
}

async function save(card) {
  card.set({ note: () => say("saving") });
  const options = { draw: "labels", ...card.asked };
  try {
    const drawn = await turns.take(() => ask("image", { photo: card.blob, options, as: "blob" }));
    download(drawn, `${card.name().replace(/\.\w{1,5}$/, "")} - ${say("names")}.jpg`);
    card.set({ note: () => say("saved") });
  } catch (trouble) {
    card.set({ note: () => [troubleWords(trouble), trouble.said].join(": ") });
  }
  hear(card.note());
}

function download(blob, name) {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function remove(card) {
  const place = cards.indexOf(card);
  card.stop.abort();
  card.stop = null;
  cards.splice(place, 1);
  card.gone();
  showPage();
  const next = cards[Math.min(place, cards.length - 1)];
  (next?.part(".remove") ?? $("choose")).focus();
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = say("copied");
  } catch {
    button.textContent = say("notCopied");
  }
  hear(button.textContent);
  await pause(2000);
  button.textContent = say("copy");
}

// Whether the service takes photos, and what it can do

/** Ask until the service is ready; photos wait meanwhile. */
async function watch() {
  if (isWatching) return;
  isWatching = true;
  turns.hold();
  for (let waits = 400; ; waits = Math.min(waits * 1.4, 4000)) {
    const state = await health();
    if (state === "ready") break;
    notice(state);
    await pause(waits);
  }
  isWatching = false;
  notice("");
  turns.go();
  await showNetworks();
}

/** What a network knows, in the language of now; the default network, if none is named. */
function catalogue(model) {
  const options = { model, lang: language() };
  const key = address("labels", options);
  if (!catalogues.has(key)) {
    const asked = ask("labels", { options }).then(({ model, labels }) => ({
      model,
      labels: labels.map(({ label }) => written(label)),
      groups: new Map(labels.map(({ id, groups }) => [id, groups ?? []])),
    }));
    asked.catch(() => catalogues.delete(key));
    catalogues.set(key, asked);
  }
  return catalogues.get(key);
}

async function showNetworks() {
  try {
    const [{ models }, { model }] = await Promise.all([ask("models"), catalogue()]);
    const chosen = chosenNetwork() ?? model;
    networks = models.filter(({ loaded }) => loaded);
    const choices = networks.map(({ name }) => new Option(name, name, false, name === chosen));
    $("network").replaceChildren(...choices);
    $("network-choice").hidden = networks.length < 2;
  } catch {
    // The page works without: the service chooses the network.
  }
  await showKnown();
}

/** The network to ask, or undefined: the service's own choice. */
function chosenNetwork() {
  return networks.length > 1 ? $("network").value : undefined;
}

async function showKnown() {
  const asked = catalogue(chosenNetwork());
  const { model, labels } = await asked.catch(() => ({ labels: [] }));
  if (!labels.length || asked !== catalogue(chosenNetwork())) return; // none, or outdated
  const { top1 } = networks.find(({ name }) => name === model) ?? {};
  $("fact").textContent = top1 ? say("fact", { model, share: share(top1) }) : "";
  $("known").textContent = say("known", { count: labels.length.toLocaleString(tag()) });
  $("examples").replaceChildren(...some(labels, EXAMPLES).map(listed));
  $("knows").hidden = false;
}

/** As many of the list as asked for, by chance. */
function some(list, count) {
  const mixed = list.map((one) => [Math.random(), one]).sort(([a], [b]) => a - b);
  return mixed.slice(0, count).map(([, one]) => one);
}

const listed = (text) => Object.assign(document.createElement("li"), { textContent: text });

// What is seen and heard of all that

function showPage() {
  const isEmpty = cards.length === 0;
  document.body.classList.toggle("empty", isEmpty);
  $("results").hidden = isEmpty;
  $("bar").hidden = cards.length < 2;
  $("gallery").className = `gallery ${cards.length > 1 ? "several" : "single"}`;
  $("choose").lastElementChild.dataset.say = isEmpty ? "choose" : "more";
  translate($("finder"));
  showProgress();
}

function showProgress() {
  const done = cards.filter(({ phase }) => phase === "answered").length;
  $("progress").textContent = say("progress", { done, count: cards.length });
  $("cancel-all").hidden = cards.filter(({ isAtWork }) => isAtWork).length < 2;
}

function showLanguage() {
  document.documentElement.lang = tag();
  document.title = `${say("question")} 识物 Shiwu`;
  translate(document);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  const lang = language() === "en" ? "" : language();
  $("curl").textContent = `curl -F image=@photo.jpg ${address("predict", { lang })}`;
  for (const card of cards) card.show();
  showPage();
  showKnown();
}

/** A line that all see and hear; "" takes it away. */
function notice(key) {
  const line = $("notice");
  line.hidden = !key;
  if (line.dataset.say === key) return; // said already
  line.dataset.say = key;
  line.textContent = say(key);
  if (key) hear(line.textContent);
}

/** Say something to those who don't see it; what comes at once is said together. */
function hear(text) {
  unheard.push(text);
  if (unheard.length > 1) return;
  setTimeout(() => {
    $("heard").textContent = unheard.join("\n");
    unheard = [];
  }, 200);
}

function listenForSettings() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      speak(button.dataset.language);
      showLanguage();
      askAnew();
    });
  }
  on("network", "change", () => {
    showKnown();
    askAnew();
  });
  on("heat", "change", ({ target }) => {
    for (const card of cards.filter(({ phase }) => phase === "answered")) {
      if (target.checked) seek(card);
      else card.set({ seeks: null });
    }
  });
  on("others", "click", showKnown);
  on("clear", "click", () => [...cards].forEach(remove));
  on("cancel-all", "click", () => cards.forEach((card) => card.isAtWork && card.stop.abort()));
  on("copy", "click", ({ target }) => copy(target, $("curl").textContent));
}

/** The settings changed: answers are asked for again, the old ones standing until then. */
function askAnew() {
  cards.filter(({ phase, isAtWork }) => isAtWork || phase === "answered").forEach(look);
}

listenForPhotos();
listenForSettings();
showLanguage();
watch();
