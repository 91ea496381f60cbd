/** Account ids: an owner and one of its sub-accounts in one 32-byte word. Mirrors backstop/account_id.py. */

import { shortId } from "./amounts.ts";

const CROSS_BIT = 1n << 95n;

const isId = (text: string): boolean => /^0x[0-9a-f]{64}$/i.test(text);

/** Whose account it is, as an address in lowercase; an address is its own. */
export const ownerOf = (id: string): string => id.slice(0, 42).toLowerCase();

export const isCross = (id: string): boolean => (BigInt(id) & CROSS_BIT) !== 0n;

/** The id of the one market that an isolated account may hold; 0 for a cross account. */
export const marketOf = (id: string): number => Number((BigInt(id) >> 64n) & 0xffffn);

/** Which of its owner's accounts of that kind it is. */
export const indexOf = (id: string): bigint => BigInt(id) & ((1n << 64n) - 1n);

/** Its owner, shortened, and what tells it from the owner's others in the same market. */
export function shortAccount(id: string): string {
  const owner = shortId(ownerOf(id));
  if (!isId(id)) return owner;
  const index = indexOf(id);
  return `${owner}${isCross(id) ? " cross" : ""}${index === 0n ? "" : ` #${index}`}`;
}
