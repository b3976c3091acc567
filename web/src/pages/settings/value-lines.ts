/** A list or an object as lines of names and values, nested by indentation; null for other texts. */
export function valueLines(text: string): string[] | null {
  if (!/^[[{]/.test(text)) return null;
  const value = parsed(text) ?? parsed(withoutCutPart(text));
  return value === undefined ? null : linesOf(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The JSON of a value that was cut: up to the last member or item that is whole. */
function withoutCutPart(text: string): string {
  const open: string[] = [];
  let [whole, isString] = ["", false];
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (isString) {
      if (letter === "\\") at++;
      else if (letter === '"') isString = false;
    } else if (letter === '"') isString = true;
    else if (letter === "{") open.unshift("}");
    else if (letter === "[") open.unshift("]");
    else if (letter === "}" || letter === "]") open.shift();
    else if (letter === ",") whole = text.slice(0, at) + open.join("");
  }
  return whole;
}

const isScalar = (value: unknown) => value === null || typeof value !== "object";

const scalarText = (value: unknown) => (value === null || value === "" ? "none" : String(value));

function linesOf(value: unknown): string[] {
  if (isScalar(value)) return [scalarText(value)];
  if (Array.isArray(value)) {
    if (value.every(isScalar)) return [value.map(scalarText).join(", ") || "none"];
    return value.flatMap((item) => linesOf(item).map((line, index) => (index === 0 ? `• ${line}` : `  ${line}`)));
  }
  return Object.entries(value as object).flatMap(([name, member]) => {
    const lines = linesOf(member);
    const isShort = isScalar(member) || (Array.isArray(member) && member.every(isScalar));
    return isShort ? [`${name}: ${lines[0]}`] : [`${name}:`, ...lines.map((line) => `  ${line}`)];
  });
}
