// From the service's reply to the sentence that is read first.

import { language, say, share } from "./words.js";

// A second guess is only worth a "perhaps" from here on.
const PERHAPS = 0.15;
const SILENT_H = /^(heir|honest|hono|hour)/i;
const LIKE_YOU = /^(uni|use|usu|uku|eu|ewe|one\b)/i;
// English names that take no "a"; plurals are told by their ending.
const UNCOUNTED =
  /^(armou?r|cattle|food|nature|something|sports (gear|or)|stationery)\b|\b(bread|broccoli|carbonara|cauliflower|chain mail|clothing|corn|dough|eggnog|furniture|guacamole|hay|ice cream|jewelry|kitchenware or tableware|mashed potato|powder|sauce|spray|tissue|velvet|wine|wool)$/i;
const PLURAL = /(?<!s|u|i|o)s$/i;
const WORDNET = /^n\d{8}$/;

/** "African_elephant" as it is written for people. */
export const written = (label) => label.replaceAll("_", " ");

/**
 * The sentence for a reply: what is certain, and what it may be more exactly.
 *
 * @param {object} reply of /predict; `answer` may be absent.
 * @param {Map<string, string[]>} groups of each class id, nearest first; may be empty.
 * @returns {{main: string, rest: string, sure: string}} `sure` says how much.
 */
export function sentence({ predictions, answer = guessed(predictions[0]) }, groups) {
  const sure = share(answer.probability ?? 0);
  if (answer.level === "class") {
    return { main: big(one(answer)), rest: "", sure: say("sure", { share: sure }) };
  }
  if (answer.level === "unsure") {
    return { main: say("sentenceUnsure"), rest: doubted(...predictions), sure: "" };
  }
  const inside = predictions.find(({ id }) => groups.get(id)?.includes(answer.id) ?? true);
  const isWorthIt = inside?.probability >= PERHAPS;
  const group = one(answer, true);
  return {
    main: isWorthIt ? say("sentenceGroup", { group: big(group) }) : big(group),
    rest: isWorthIt ? say("perhaps", { one: one(inside) }) : "",
    sure: say("sureOf", { share: sure, one: group }),
  };
}

function doubted(first, second) {
  if (!first || first.probability < PERHAPS) return "";
  const alone = !second || second.probability < PERHAPS;
  return say("perhapsUnsure", {
    one: alone ? one(first) : say("or", { one: one(first), other: one(second) }),
  });
}

/** What to say where the service doesn't judge for itself. */
function guessed(first) {
  return first && first.probability >= 0.9 ? { ...first, level: "class" } : { level: "unsure" };
}

/** A name with its article, where the language has any and it is known to be a thing's. */
function one({ label, id }, isGroup = false) {
  const name = written(label);
  if (language() !== "en" || !(isGroup || WORDNET.test(id))) return name;
  if (UNCOUNTED.test(name) || PLURAL.test(name)) return name;
  const vowel = SILENT_H.test(name) || (/^[aeiou]/i.test(name) && !LIKE_YOU.test(name));
  return `${vowel ? "an" : "a"} ${name}`;
}

const big = (text) => text.charAt(0).toUpperCase() + text.slice(1);
