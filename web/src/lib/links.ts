/** The address if a link may lead there: http and https only. CI systems report other schemes, which are shown as text. */
export function safeURL(text: string | null | undefined): string | null {
  if (!text) return null;
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
