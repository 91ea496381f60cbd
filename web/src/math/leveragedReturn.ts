/** The score that ranks counterparties. Mirrors backstop/math/leveraged_return.py; WAD integers. */

import { abs, INT256_MAX, INT256_MIN, max, min, UINT256_MAX, WAD } from "./wad.ts";

/** `uPnL / |entryNotional|`, toward zero; 0 where the entry notional is 0. */
export function pnlRate(unrealizedPnl: bigint, entryNotional: bigint): bigint {
  return entryNotional === 0n ? 0n : (unrealizedPnl * WAD) / abs(entryNotional);
}

/** `pnlRate * r` for a position in profit, else `pnlRate / r`; toward zero, saturating. `marginRate` is at least 1 wei. */
export function leveragedReturn(unrealizedPnl: bigint, entryNotional: bigint, marginRate: bigint): bigint {
  const magnitude = min(abs(pnlRate(unrealizedPnl, entryNotional)), UINT256_MAX);
  const rate = min(marginRate, UINT256_MAX);
  if (unrealizedPnl > 0n) return min((magnitude * rate) / WAD, INT256_MAX);
  return max(-((magnitude * WAD) / rate), INT256_MIN);
}

/** 1 (first to be deleveraged) to 5: the fifth of the side's contracts in which the midpoint of `own` lies. */
export function adlLight(ahead: bigint, own: bigint, total: bigint): number {
  return Number((5n * (2n * ahead + own)) / (2n * total)) + 1;
}
