// Finds the installed browser; no npm package downloads one.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// The first needs less than half of the CPU time of the others.
const programs = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** The path of a Chromium: that in the variable CHROMIUM, else the first on the PATH; undefined if there is none. */
export function findChromium(env = process.env) {
  if (env.CHROMIUM) return env.CHROMIUM;
  const folders = (env.PATH ?? '').split(delimiter);
  return programs.flatMap((program) => folders.map((folder) => join(folder, program))).find(isProgram);
}

/** The message without a Chromium. */
export const howToInstall =
  'the pages are tested in Chromium, and there is none: install it (.ci/chromium does on Debian and Ubuntu), ' +
  'or name one in the variable CHROMIUM';

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
