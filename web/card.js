// A photo and its answer as they are seen: a card of the gallery.

import { sentence, written } from "./answer.js";
import { address } from "./service.js";
import { say, share, tag, translate } from "./words.js";

const template = document.getElementById("card");
// What asking again can't mend.
const FOR_GOOD = ["broken_image", "too_large", "unsupported_image"];

export class Card {
  phase = "waiting"; // looking, later, answered, trouble, stopped
  blob = null; // the photo as it is sent
  reply = null;
  asked = {}; // the options that the reply answers
  trouble = null;
  seconds = 0; // until the next try
  note = () => ""; // what is said beside an answer
  groups = new Map(); // of the network that answered: class id to group ids
  seeks = null; // the heat map that is shown: {id, url, trouble}

  /**
   * @param {File|Blob} file
   * @param {() => string} name in the language of now.
   * @param {object} does what the buttons do: again, cancel, remove, save, seek, copy.
   */
  constructor(file, name, does) {
    Object.assign(this, { file, name, does });
    this.root = template.content.firstElementChild.cloneNode(true);
    for (const action of ["again", "cancel", "save", "remove"]) {
      this.part(`.${action}`).addEventListener("click", () => does[action](this));
    }
    this.part(".ids").addEventListener("change", () => this.show());
    for (const button of this.root.querySelectorAll("[data-copy]")) {
      const text = () => this.part(`.${button.dataset.copy}`).textContent;
      button.addEventListener("click", () => does.copy(button, text()));
    }
  }

  get isAtWork() {
    return ["waiting", "looking", "later"].includes(this.phase);
  }

  /** The photo becomes visible. */
  picture(blob) {
    this.url = URL.createObjectURL(blob);
    this.part(".photo").src = this.url;
    this.part(".photo").hidden = false;
    this.part(".blank").hidden = true;
  }

  /** Change what is known of the photo, and draw it. */
  set(changes) {
    Object.assign(this, changes);
    this.show();
  }

  /** Draw everything in the language of now. */
  show() {
    const focused = document.activeElement;
    translate(this.root);
    this.root.dataset.phase = this.phase;
    this.write(".file", this.name());
    this.part(".photo").alt = say("yours", { name: this.name() });
    this.part(".blank").textContent = /\.(\w{1,5})$/.exec(this.name())?.[1].toUpperCase() ?? "";
    this.showSentence();
    this.showStatus();
    this.showNames();
    this.showMap();
    this.part(".cancel").hidden = !this.isAtWork;
    const isHopeful = this.phase === "trouble" && !FOR_GOOD.includes(this.trouble.code);
    this.part(".again").hidden = !(isHopeful || this.phase === "stopped");
    this.part(".save").hidden = this.phase !== "answered";
    if (this.root.contains(focused) && focused.closest("[hidden]")) {
      this.part(".actions button:not([hidden])").focus();
    }
  }

  /** The sentence as it is read out. */
  heard() {
    const { main, rest } = this.said();
    return `${this.name()}: ${main}${rest}`;
  }

  /** Leave the page, and let go of what the browser keeps for the card. */
  gone() {
    for (const url of [this.url, this.seeks?.url]) if (url) URL.revokeObjectURL(url);
    this.root.remove();
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  /** Write words into a part; without words it is hidden. */
  write(selector, words) {
    this.part(selector).textContent = words;
    this.part(selector).hidden = !words;
  }

  said() {
    if (this.phase === "trouble") return { main: troubleWords(this.trouble), rest: "", sure: "" };
    if (this.reply) return sentence(this.reply, this.groups);
    return { main: "", rest: "", sure: "" };
  }

  showSentence() {
    const { main, rest, sure } = this.said();
    this.part(".sentence").hidden = !main;
    this.write("strong", main);
    this.write(".rest", rest);
    this.write(".sure", sure);
    const hints = this.phase === "answered" ? (this.reply.hints ?? []) : [];
    this.part(".hints").replaceChildren(...hints.map(({ text }) => element("li", "", text)));
    this.part(".hints").hidden = !hints.length;
  }

  showStatus() {
    const { phase, seconds, trouble } = this;
    const isTrouble = phase === "trouble";
    const words = isTrouble ? say(`why.${trouble.code}`, trouble) : say(phase, { seconds });
    this.write(".status", phase === "answered" ? this.note() : (words ?? ""));
    this.write(".theirs", isTrouble ? trouble.said : "");
  }

  showNames() {
    const list = this.part(".names");
    const isThere = this.reply !== null && this.phase !== "trouble";
    list.hidden = !isThere;
    this.part("details").hidden = !isThere;
    if (!isThere) return;
    const { predictions } = this.reply;
    const withIds = this.part(".ids").checked;
    // Rows that stay the same stay: the one that has the focus keeps it.
    const drawn = JSON.stringify([tag(), withIds, this.seeks !== null, predictions]);
    if (this.drawn !== drawn) list.replaceChildren(...predictions.map((one) => this.row(one, withIds)));
    this.drawn = drawn;
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.id === this.seeks?.id));
    }
    this.part(".command").textContent = this.commands();
    this.part(".json").textContent = JSON.stringify(this.reply, null, 2);
  }

  row({ label, probability, id }, withIds) {
    const name = element(this.seeks ? "button" : "span", "name", written(label));
    if (this.seeks) {
      name.type = "button";
      name.dataset.id = id;
      name.setAttribute("aria-label", say("seek", { label: written(label) }));
      name.addEventListener("click", () => this.does.seek(this, id));
    }
    const row = element("li");
    const bar = element("span", "bar-of");
    bar.style.setProperty("--share", String(probability));
    row.append(name, element("span", "share", share(probability)), bar);
    if (withIds) name.after(element("code", "id", id));
    return row;
  }

  showMap() {
    const { seeks } = this;
    const isThere = seeks !== null && this.phase === "answered";
    const map = this.part(".map");
    map.hidden = !(isThere && seeks.url);
    if (!isThere) return this.write("figcaption", "");
    const { label } = this.reply.predictions.find(({ id }) => id === seeks.id);
    const words = say("looksFor", { label: written(label) });
    if (seeks.url) Object.assign(map, { src: seeks.url, alt: words });
    const { trouble } = seeks;
    const why = trouble && say("noMap", { why: trouble.said || troubleWords(trouble) });
    this.write("figcaption", why ?? (seeks.url ? words : say("mapping")));
  }

  commands() {
    const photo = `curl -F ${quoted(`image=@${forCurl(this.file.name ?? "photo.jpg")}`)}`;
    const lines = [`${photo} ${quoted(address("predict", this.asked))}`];
    if (this.seeks) {
      const options = { model: this.asked.model, class: this.seeks.id };
      lines.push(`${photo} ${quoted(address("explain", options))} -o heatmap.jpg`);
    }
    return lines.join("\n");
  }
}

/** What went wrong, in the language of now. */
export const troubleWords = ({ code }) => say(`error.${code}`) ?? say("error.refused");

function element(kind, name = "", text = "") {
  return Object.assign(document.createElement(kind), { className: name, textContent: text });
}

/** Text as one word of a shell's command line. */
const quoted = (text) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A file's name as curl's -F reads it: commas and semicolons would end it. */
const forCurl = (name) => (/[;,"\\]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name);
