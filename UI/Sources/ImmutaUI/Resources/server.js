// Questions to the server.

/** An answer that says what is wrong. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const gone = "The server does not answer: it may have ended. Start immuta-ui again.";
export const newToken = "The server was started anew, with another token: open the address that it printed.";

/** A log's name in an address. A colon needs no escape there. */
export const nameInAddress = (name) => encodeURIComponent(name).replaceAll("%3A", ":");

/** Of a log, with the parameters that are not null. */
export function address(name, path = "", parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) query.set(key, value);
  }
  const text = query.toString();
  return `api/namespaces/${nameInAddress(name)}${path ? `/${path}` : ""}${text ? `?${text}` : ""}`;
}

/** What is at an address; throws a Refusal where the server says no, or nothing. */
export async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, gone);
  }
  if (response.status === 401) throw new Refusal(401, newToken);
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Refusal(response.status, `The server's answer makes no sense (${response.status}).`);
  }
  if (!response.ok) throw new Refusal(response.status, answer.error);
  return answer;
}
