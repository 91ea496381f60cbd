/** Where in the page one is: in the address after the `#`, so that it can be sent to somebody. */

import { useEffect, useState } from "preact/hooks";

export type Route =
  | { view: "market"; name: string | null }
  | { view: "account"; who: string }
  | { view: "round"; id: string }
  | { view: "unknown"; text: string };

export function routeOf(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const [view, ...rest] = text.split("/");
  const value = decoded(rest.join("/"));
  if (text === "") return { view: "market", name: null };
  if (view === "market" && value) return { view, name: value };
  if (view === "account" && value) return { view, who: value };
  if (view === "round" && value) return { view, id: value };
  return { view: "unknown", text };
}

export const marketPath = (name: string): string => `#/market/${encodeURIComponent(name)}`;

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => {
      setHash(location.hash);
      scrollTo(0, 0);
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return routeOf(hash);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
