/** Which deployment the page is of, and which node it asks: `page.json` beside it, and `?rpc=` in the address. */

import type { Hex } from "viem";

/** Addresses of one deployment, as `deployments/NAME.json` has them; `block` is that of the first of them. */
export interface Deployment {
  chain_id: number;
  block: number;
  token: Hex;
  price_feed: Hex;
  fund: Hex;
  round_book: Hex;
  engine: Hex;
  lens: Hex;
}

/** `oldAfter`: seconds after which a last block is called old. */
export interface Config {
  rpc: string;
  oldAfter: number;
  deployment: Deployment;
}

/** The page cannot begin: the message says what is missing, and what to do. */
export class ConfigFault extends Error {
  override readonly name = "ConfigFault";
}

const ADDRESSES = ["token", "price_feed", "fund", "round_book", "engine", "lens"] as const;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const OLD_AFTER = 120;

export async function readConfig(): Promise<Config> {
  let document: unknown;
  try {
    const answer = await fetch("page.json", { cache: "no-store" });
    if (!answer.ok) throw new ConfigFault(`page.json is missing (status ${answer.status})`);
    document = await answer.json();
  } catch (error) {
    if (error instanceof ConfigFault) throw error;
    throw new ConfigFault("page.json beside this page cannot be read, or is not JSON");
  }
  return configOf(document, new URLSearchParams(location.search).get("rpc"));
}

export function configOf(document: unknown, rpc: string | null): Config {
  const { rpc: served, oldAfter, deployment } = (document ?? {}) as Partial<Config>;
  const url = rpc ?? served;
  if (typeof url !== "string" || !isHttp(url)) {
    throw new ConfigFault(
      `the node's address is ${JSON.stringify(url ?? null)}; an http or https URL is expected`,
    );
  }
  for (const key of ["chain_id", "block"] as const) {
    if (!Number.isSafeInteger(deployment?.[key]))
      throw new ConfigFault(`page.json: deployment.${key} is no number`);
  }
  for (const key of ADDRESSES) {
    if (!ADDRESS.test(deployment?.[key] ?? ""))
      throw new ConfigFault(`page.json: deployment.${key} is no address`);
  }
  return { rpc: url, oldAfter: oldAfter ?? OLD_AFTER, deployment: deployment as Deployment };
}

function isHttp(text: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
