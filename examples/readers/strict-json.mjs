/**
 * JSON as docs/format.md wants it. `JSON.parse` takes the last of two members of the same name,
 * has no limit of depth, and tells `1` and `1.0`, or 2^53 and 2^53 + 1, not apart.
 */

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
// Of a longer integer the first digits will do: it is beyond every bound either way.
const LONGEST = 100;
const WORDS = [["true", true], ["false", false], ["null", null]];

/**
 * The value of `bytes`, which are JSON in UTF-8.
 *
 * An integer becomes a BigInt. A number with a fraction or an exponent becomes a Number
 * where `fractions` allows it. Objects have no prototype, so `__proto__` is a name like another.
 *
 * Throws SyntaxError: no UTF-8, no JSON, a member twice, half of a surrogate pair, an infinite
 * number, more than `depth` levels (the outermost one counted).
 */
export function parse(bytes, { depth, fractions = false }) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SyntaxError("not UTF-8");
  }
  let at = 0;
  const found = value(1);
  if (at < text.length) throw new SyntaxError(`more after the end, at ${at}`);
  return found;

  function match(pattern) {
    pattern.lastIndex = at;
    const matched = pattern.test(text);
    if (matched) at = pattern.lastIndex;
    return matched;
  }

  function take(character) {
    match(SPACE);
    if (text[at] !== character) return false;
    at += 1;
    match(SPACE);
    return true;
  }

  function need(character) {
    if (!take(character)) throw new SyntaxError(`"${character}" is missing at ${at}`);
  }

  function value(level) {
    match(SPACE);
    const start = text[at];
    if ((start === "{" || start === "[") && level > depth) throw new SyntaxError("nested too deep");
    const read = start === "{" ? object(level) : start === "[" ? list(level) : scalar(start);
    match(SPACE);
    return read;
  }

  function object(level) {
    const members = Object.create(null);
    need("{");
    if (take("}")) return members;
    do {
      const name = string();
      if (name in members) throw new SyntaxError("a member is there twice");
      need(":");
      members[name] = value(level + 1);
    } while (take(","));
    need("}");
    return members;
  }

  function list(level) {
    const items = [];
    need("[");
    if (take("]")) return items;
    do items.push(value(level + 1));
    while (take(","));
    need("]");
    return items;
  }

  function scalar(start) {
    if (start === '"') return string();
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    const from = at;
    if (!match(NUMBER)) throw new SyntaxError(`no value at ${at}`);
    const number = text.slice(from, at);
    if (!/[.eE]/.test(number)) return BigInt(number.slice(0, LONGEST));
    if (!fractions) throw new SyntaxError("a number with a fraction or an exponent");
    const float = Number(number);
    if (!Number.isFinite(float)) throw new SyntaxError("a number that is not finite");
    return float;
  }

  function string() {
    const start = at;
    if (text[at] !== '"') throw new SyntaxError(`no string at ${at}`);
    at += 1;
    for (match(PLAIN); text[at] === "\\"; match(PLAIN)) {
      if (!match(ESCAPE)) throw new SyntaxError(`no such escape at ${at}`);
    }
    if (text[at] !== '"') throw new SyntaxError(`a string does not end at ${at}`);
    at += 1;
    const read = JSON.parse(text.slice(start, at));
    if (!read.isWellFormed()) throw new SyntaxError("half of a surrogate pair");
    return read;
  }
}

/** Whether a value that `parse` gave is an object. */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** How deep a value is nested, itself counted; 0 for what is neither an object nor a list. */
export function depthOf(value) {
  if (typeof value !== "object" || value === null) return 0;
  let deepest = 0;
  for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item));
  return deepest + 1;
}

/** What `parse` gave as compact JSON, by which the size of a record is measured. */
export function compact(value) {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return compactFloat(value);
  if (Array.isArray(value)) return `[${value.map(compact).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value);
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${compact(item)}`).join(",")}}`;
}

/** As section 4 has it: the fewest digits, an exponent below 1e-4 and from 1e16 on. */
function compactFloat(value) {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 16) {
    const behindTheFirst = digits.replace(/^-?\d\.?/, "").length;
    return value.toFixed(Math.max(1, behindTheFirst - power));
  }
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
